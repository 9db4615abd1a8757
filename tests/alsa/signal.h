// SPDX-License-Identifier: LGPL-2.1-or-later
// The content of the test PCM: a WAV file in a loop, or a sine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace jkvm::testing {

/// A WAV file that cannot be played; what() is a sentence for the user.
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

/// Reads a RIFF WAVE file image (PCM, 16 bits, 1..8 channels, any rate). Throws SignalError.
[[nodiscard]] Wave parse_wave(std::span<const unsigned char> file);

/// Reads a WAV file of at most 512 MiB. Throws SignalError, its text names the path.
[[nodiscard]] Wave load_wave(const std::string &path);

/// The samples at any position. Between two changes of a setting the value at a position never
/// changes and does not depend on what was read before: alsa-lib asks for the same frames again
/// and again in mmap mode. Not thread-safe; its owner locks.
class Signal {
public:
    /// A sine of `frequency` Hz at half of full scale; fits every rate and channel count.
    [[nodiscard]] static Signal tone(double frequency);

    /// The file from its first frame, looped, at its own level.
    [[nodiscard]] static Signal loop(Wave wave);

    /// The rate of the file, 0 for a tone.
    [[nodiscard]] unsigned native_rate() const { return wave_ ? wave_->rate : 0; }

    /// The channels of the file, 0 for a tone.
    [[nodiscard]] unsigned native_channels() const { return wave_ ? wave_->channels : 0; }

    /// The frames per second for which a tone's frequency is meant. A file is played frame by
    /// frame whatever the rate.
    void set_rate(unsigned rate) { rate_ = rate; }

    /// Changes the tone from position `at` on without a step in its phase. No effect on a file.
    void set_frequency(double frequency, uint64_t at);

    /// Peak of the tone, or gain of the file; 1.0 is full scale or unchanged. Clipped.
    void set_amplitude(double amplitude) { amplitude_ = amplitude; }

    /// Sticks every sample to one value (-1.0 .. 1.0), as a dead input does; nullopt ends that.
    void set_constant(std::optional<double> value) { constant_ = value; }

    /// Fills `out` with interleaved 32 bit samples of whole frames, the first one at `position`.
    /// A channel that a file does not have repeats the file's channels in turn.
    void fill(uint64_t position, unsigned channels, std::span<int32_t> out) const;

private:
    [[nodiscard]] double cycles_at(uint64_t position) const;

    std::optional<Wave> wave_;
    std::optional<double> constant_;
    double amplitude_ = 1.0;
    double frequency_ = 0.0;
    unsigned rate_ = 48000;
    uint64_t phase_position_ = 0; // where the frequency was last set ...
    double phase_cycles_ = 0.0;   // ... and the phase there, in cycles
};

} // namespace jkvm::testing
