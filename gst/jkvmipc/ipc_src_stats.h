// SPDX-License-Identifier: LGPL-2.1-or-later
// The statistics of jkvmipcsrc.
#pragma once

#include "common/packet_pool.h"
#include "core/ipc/receive/received_stream.h"
#include "core/ipc/socket/connection.h"
#include "core/wire/dialect.h"

#include <gst/gst.h>

namespace jkvm {

struct IpcSrcStats {
    ReceivedStream::Stats stream;
    std::optional<wire::Dialect> dialect;
    BufferSizes buffers;
    int waited = 0; ///< in the socket for the last read, bytes
    PacketPool::Stats pool;
    guint64 rejects = 0;
    guint64 disconnects = 0;
};

/// As the element's documentation has it; the caller owns it.
GstStructure *make_structure(const IpcSrcStats &stats);

} // namespace jkvm
