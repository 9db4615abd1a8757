// SPDX-License-Identifier: LGPL-2.1-or-later
// Connects a test PCM opened for playback to one opened for capture, in the same process or in
// another.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace jkvm::testing {

/// A file, mapped into memory, that contains the audio of the last seconds by the time at which it
/// was played. The two PCMs have independent clocks: the loopback holds the last sample, at 48 kHz.
/// Not thread-safe; the owner locks.
class AudioLoopback {
public:
    static constexpr unsigned rate = 48000; // Hz
    static constexpr unsigned max_channels = 8;
    /// A frame is captured this long (ns) after it was played. A playing program may call its PCM
    /// late by as much.
    static constexpr int64_t delay = 100'000'000;

    /// Number of slots that a sample is held in; a slow playback clock skips some.
    static constexpr int64_t max_held = 2;

    /// Opens or creates the file. Throws std::system_error.
    explicit AudioLoopback(const std::string &path);
    ~AudioLoopback();
    AudioLoopback(const AudioLoopback &) = delete;
    AudioLoopback &operator=(const AudioLoopback &) = delete;

    /// Writes a frame that was played at `time` (ns). Missing channels repeat the last one.
    void play(int64_t time, std::span<const int32_t> frame);
    /// Reads the frame that is captured at `time` (ns); silence if nothing was played.
    void capture(int64_t time, std::span<int32_t> frame) const;

private:
    struct Slot {
        int64_t index;                 // time of the frame in units of the rate; written last
        int32_t samples[max_channels]; // NOLINT: shared with other processes
    };
    static constexpr int64_t slots = 1 << 17; // 2.7 s

    [[nodiscard]] static int64_t index_at(int64_t time);
    [[nodiscard]] Slot &slot(int64_t index) const { return memory_[index % slots]; }

    Slot *memory_ = nullptr;
};

} // namespace jkvm::testing
