// SPDX-License-Identifier: LGPL-2.1-or-later
// What the engine needs to know of a buffer.
#pragma once

#include "common/gst_ref.h"
#include "core/opus/quiet_detector.h"
#include "core/playout/playout.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// Nothing where the segment has none for it, and for what no pipeline lives to see: more than a
/// century.
std::optional<nanoseconds> running_time(const GstSegment &segment, GstClockTime time);

/// Reads the buffers of one stream, in order. Thread-bound; the owner's lock guards it.
class BufferClassifier {
public:
    /// After a flush: all but the caps is forgotten.
    void reset();
    /// True if it is another stream than before.
    bool set_caps(GstCaps *caps);
    void set_segment(const GstSegment &segment) { segment_ = segment; }

    struct Read {
        PlayoutFrame frame;
        /// Its time line is another one than that of the buffer before: its sender started anew.
        bool is_new_epoch;
    };
    /// `now`: running time of its arrival. A buffer without a timestamp follows the one before; the
    /// first one counts from its arrival.
    Read read(GstBuffer *buffer, nanoseconds now);
    /// Of the last buffer; 20 ms before the first one.
    [[nodiscard]] nanoseconds last_duration() const { return last_duration_; }

private:
    GstSegment segment_ = make_segment();
    GstRef<GstCaps> caps_;
    bool is_opus_ = false;
    QuietDetector quiet_;
    std::optional<nanoseconds> media_end_;    // of the last buffer
    std::optional<nanoseconds> last_transit_; // its arrival minus its media time
    nanoseconds last_duration_{std::chrono::milliseconds(20)};

    static GstSegment make_segment();
};

} // namespace jkvm
