// SPDX-License-Identifier: LGPL-2.1-or-later
// What an encoder is set to, as far as a receiver can tell from its packets.
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
    bool is_quiet; ///< its bytes say nothing of the bitrate. See QuietDetector.
};

/// Nobody tells a receiver of the encoder's settings. Seen are the length of the frames and the
/// bitrate, which is the most that five seconds of sound took within the last minute of sound; and,
/// once there was a pause, whether it is left out. The rest (complexity, signal, bandwidth) is
/// taken to be that of the JetKVM quality whose bitrate is next to the one seen.
///
/// Thread-bound. Allocates nothing.
class EncoderEstimate {
public:
    static constexpr nanoseconds window = std::chrono::seconds(5);

    /// What the caps say of the sound.
    void set_sound(std::uint32_t sample_rate, std::uint32_t channels);
    /// Another sender: only the caps are kept.
    void restart();
    void record(const EncodedFrame &frame);
    /// Before the first sound: JetKVM's default.
    [[nodiscard]] wire::EncoderConfig config() const;

private:
    struct Sound {
        std::size_t bytes = 0;
        nanoseconds time{0};
        [[nodiscard]] double bitrate() const;
    };
    [[nodiscard]] double bitrate() const;

    std::uint32_t sample_rate_ = wire::StreamConfig().sample_rate;
    std::uint32_t channels_ = wire::StreamConfig().channels;
    nanoseconds frame_{0}; // length of the last one; 0 = none
    bool leaves_pauses_out_ = false;
    Sound now_;                       // of this window
    std::array<Sound, 12> windows_{}; // a ring: a minute
    std::size_t count_ = 0;           // of windows, ever
};

} // namespace jkvm
