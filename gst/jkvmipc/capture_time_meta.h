// SPDX-License-Identifier: LGPL-2.1-or-later
// Attaches the sender's capture time to a buffer as a GstReferenceTimestampMeta.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <optional>

namespace jkvm {

/// Reuses the meta of a pooled buffer, so that no memory is allocated for a frame.
class CaptureTimeMeta {
public:
    CaptureTimeMeta();

    /// `captured`: wall-clock time of the first sample; without one, the buffer has no meta
    /// afterwards.
    void set(GstBuffer *buffer, std::optional<WallTime> captured, nanoseconds duration) const;

private:
    GstRef<GstCaps> unix_time_; ///< timestamp/x-unix, the reference clock of the meta
};

} // namespace jkvm
