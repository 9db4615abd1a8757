// SPDX-License-Identifier: LGPL-2.1-or-later
// The statistics of jkvmipcsink.
#pragma once

#include "common/fields.h"
#include "core/ipc/send/frame_sender.h"

namespace jkvm {

struct IpcSinkStats {
    FrameSender::Stats sender;
    guint64 dropped_invalid = 0;
    guint64 dropped_too_large = 0;
    guint64 muted = 0;        ///< frames replaced by silence
    guint queue_capacity = 0; ///< frames that may wait for a client; 0 before the first one
};

/// Returns the structure that the element's documentation describes. Transfer full.
GstStructure *make_structure(const IpcSinkStats &stats);
/// Returns the fields id, pid and uid.
Fields describe(const PeerInfo &client);

} // namespace jkvm
