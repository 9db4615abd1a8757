// SPDX-License-Identifier: LGPL-2.1-or-later
// Estimates an encoder's settings from the packets that it sends.
#pragma once

#include "core/base/time.h"
#include "core/wire/control.h"

#include <array>
#include <cstddef>

namespace jkvm {

/// A packet of the stream.
struct EncodedFrame {
    std::size_t bytes;
    nanoseconds duration;
    bool is_quiet; ///< excluded from the bitrate estimate. See largest_silent_packet.
};

/// The stream shows the frame duration, the bitrate (the maximum over windows of five seconds
/// within the last minute of audio), whether that is constant and, after the first pause, whether
/// DTX is on. The other settings (complexity, signal, bandwidth) are assumed to be those of the
/// JetKVM quality with the nearest bitrate.
///
/// Thread-bound. Does not allocate.
class EncoderEstimate {
public:
    static constexpr nanoseconds window = std::chrono::seconds(5);

    /// Format from the caps.
    void set_format(std::uint32_t sample_rate, std::uint32_t channels);
    /// Starts over with another sender; the format is kept.
    void restart();
    void record(const EncodedFrame &frame);
    /// Whether all packets since the start have the same size, and there are enough of them to
    /// conclude that the encoder's bitrate is constant; it is then known exactly.
    [[nodiscard]] bool has_constant_bitrate() const
    {
        return constant_frames_ >= min_constant_frames;
    }
    /// JetKVM's default before the first frame.
    [[nodiscard]] wire::EncoderConfig config() const;

private:
    /// With a variable bitrate it hardly ever happens that this many packets have the same size.
    static constexpr std::size_t min_constant_frames = 5;

    struct Window {
        std::size_t bytes = 0;
        nanoseconds time{0};
        [[nodiscard]] double bitrate() const;
    };
    [[nodiscard]] double bitrate() const;

    std::uint32_t sample_rate_ = wire::StreamConfig().sample_rate;
    std::uint32_t channels_ = wire::StreamConfig().channels;
    nanoseconds frame_{0}; // duration of the last frame; 0 = none yet
    bool uses_dtx_ = false;
    std::size_t constant_size_ = 0;   // of the first packet that is not quiet (bytes)
    std::size_t constant_frames_ = 0; // of that size since the start
    bool has_size_changed_ = false;
    Window current_;
    std::array<Window, 12> windows_{}; // ring of the last minute
    std::size_t count_ = 0;            // windows completed so far
};

} // namespace jkvm
