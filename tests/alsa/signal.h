// SPDX-License-Identifier: LGPL-2.1-or-later
// Generates the content of the test PCM: a looped WAV file or a sine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace jkvm::testing {

/// Reports a WAV file that cannot be played; what() is a sentence for the user.
class SignalError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// 16 bit PCM audio held in memory.
struct Wave {
    unsigned rate = 0;            ///< frames per second
    unsigned channels = 0;        ///< 1..8
    std::vector<int16_t> samples; ///< interleaved, at least one frame

    [[nodiscard]] uint64_t frames() const { return samples.size() / channels; }
};

/// Parses a RIFF WAVE file image (PCM, 16 bits, 1..8 channels, any rate). Throws SignalError.
[[nodiscard]] Wave parse_wave(std::span<const unsigned char> file);

/// Reads a WAV file of at most 512 MiB. Throws a SignalError that includes the path.
[[nodiscard]] Wave load_wave(const std::string &path);

/// Provides the samples at any position. Between two changes of a setting, the value at a position
/// is constant and does not depend on previous reads, because alsa-lib requests the same frames
/// repeatedly in mmap mode. Not thread-safe; the owner locks.
class Signal {
public:
    /// Creates a sine of `frequency` Hz at half of full scale, for any rate and number of channels.
    [[nodiscard]] static Signal tone(double frequency);

    /// Creates a loop of the file from its first frame, at its original level.
    [[nodiscard]] static Signal loop(Wave wave);

    /// Rate of the file (Hz); 0 for a tone.
    [[nodiscard]] unsigned native_rate() const { return wave_ ? wave_->rate : 0; }

    /// Number of channels of the file; 0 for a tone.
    [[nodiscard]] unsigned native_channels() const { return wave_ ? wave_->channels : 0; }

    /// Sets the rate (Hz) that a tone's frequency refers to. A file is played frame by frame at any
    /// rate.
    void set_rate(unsigned rate) { rate_ = rate; }

    /// Changes the frequency of the tone (Hz) at position `at` with continuous phase. Has no effect
    /// on a file.
    void set_frequency(double frequency, uint64_t at);

    /// Sets the peak of the tone or the gain of the file; 1.0 is full scale or unchanged. Samples
    /// are clipped.
    void set_amplitude(double amplitude) { amplitude_ = amplitude; }

    /// Sets every sample to one value (-1.0 .. 1.0), as a dead input does; nullopt ends this.
    void set_constant(std::optional<double> value) { constant_ = value; }

    /// Fills `out` with interleaved 32-bit samples of whole frames, starting at `position`. If
    /// there are more channels than in the file, the file's channels are repeated in turn.
    void fill(uint64_t position, unsigned channels, std::span<int32_t> out) const;

private:
    [[nodiscard]] double cycles_at(uint64_t position) const;

    std::optional<Wave> wave_;
    std::optional<double> constant_;
    double amplitude_ = 1.0;
    double frequency_ = 0.0;
    unsigned rate_ = 48000;
    uint64_t phase_position_ = 0; // position of the last frequency change
    double phase_cycles_ = 0.0;   // phase at phase_position_, in cycles
};

} // namespace jkvm::testing
