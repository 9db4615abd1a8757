// SPDX-License-Identifier: LGPL-2.1-or-later
// Derives a buffer's PlayoutFrame from its timestamps, flags and packet.
#pragma once

#include "common/gst_ref.h"
#include "core/opus/packet_facts.h"
#include "core/playout/playout.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// Empty if the segment does not contain the time, or if the result exceeds a century.
std::optional<nanoseconds> running_time(const GstSegment &segment, GstClockTime time);

/// Processes the buffers of one stream in order. Thread-bound.
class BufferClassifier {
public:
    /// Resets everything except the caps, after a flush.
    void reset();
    /// Returns whether the caps differ from the previous ones.
    bool set_caps(GstCaps *caps);
    void set_segment(const GstSegment &segment) { segment_ = segment; }

    struct Classified {
        PlayoutFrame frame; ///< without a handle
        /// The timeline differs from that of the previous buffer: the sender restarted.
        bool is_new_epoch;
        bool is_silence; ///< the packet contains no audio
    };
    /// `now`: running time of the arrival. A buffer without a timestamp follows the previous one;
    /// the first one starts at its arrival. A frame is quiet if its packet contains no audio.
    Classified classify(GstBuffer *buffer, nanoseconds now);
    /// Whether the caps are those of a codec whose packets can be decoded.
    [[nodiscard]] bool has_codec() const { return codec_.has_value(); }

    /// Of the last buffer; 20 ms before the first one.
    [[nodiscard]] nanoseconds last_duration() const { return last_duration_; }

private:
    GstSegment segment_ = make_segment();
    GstRef<GstCaps> caps_;
    std::optional<Codec> codec_;              // none for other caps
    std::optional<nanoseconds> media_end_;    // of the last buffer
    std::optional<nanoseconds> last_transit_; // arrival minus media time of the last buffer
    nanoseconds last_duration_{std::chrono::milliseconds(20)};

    static GstSegment make_segment();
};

} // namespace jkvm
