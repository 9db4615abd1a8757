// SPDX-License-Identifier: LGPL-2.1-or-later
// Generates a test signal in which every millisecond is different, and determines which
// milliseconds a recording of it contains.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <ratio>
#include <span>
#include <string>
#include <vector>

namespace jkvm::testing {

inline constexpr unsigned chirp_rate = 48000; // Hz

/// A number of samples at 48 kHz; compares with milliseconds.
using Samples = std::chrono::duration<std::int64_t, std::ratio<1, chirp_rate>>;

/// Length of the signal, which is repeated endlessly.
inline constexpr Samples chirp_length = std::chrono::seconds(10);

/// Returns one period of the signal: mono, half of full scale.
///
/// It is a sine with constant amplitude and continuous phase whose frequency sweeps to another
/// pseudo-random frequency from 0.5 to 5.5 kHz in each millisecond. A decoder can therefore not
/// extrapolate it, and Opus reproduces its waveform at 96 kbit/s and above.
[[nodiscard]] std::vector<std::int16_t> make_chirp();

/// Writes one period of the signal to a WAV file, the same in each channel. Failures throw.
void write_chirp(const std::string &path, unsigned channels);

/// The parts of the signal in a recording, from its first to its last recognised millisecond.
struct ChirpAccount {
    /// A place at which the recording deviates from the signal.
    struct Event {
        Samples at;        ///< position in the recording
        Samples concealed; ///< unrecognised audio from there on
        Samples jump;      ///< change of the position in the signal: < 0 back, > 0 ahead
    };

    Samples played{0};    ///< recognised audio
    Samples missing{0};   ///< parts of the signal that never appear
    Samples repeated{0};  ///< recognised audio that has appeared before
    Samples stale{0};     ///< recognised audio that is older than audio that has appeared before
    Samples concealed{0}; ///< audio that is not part of the signal, such as silence or concealment
    std::vector<Event> events;

    [[nodiscard]] bool is_unbroken() const { return events.empty(); }
};
std::ostream &operator<<(std::ostream &stream, const ChirpAccount &account);

/// Properties of the path that the signal took.
struct ChirpTolerance {
    /// Unrecognised audio that is due to the transition at a jump.
    Samples transition;
    /// Missing and repeated parts of the signal are multiples of this; 0 = they may have any
    /// length.
    Samples frame;
    /// Maximum duration of a concealment that may itself repeat parts of the signal, as a decoder's
    /// packet loss concealment does: shorter repetitions count as concealment.
    Samples concealment;
    /// Whether the signal may be played faster or slower by up to 0.6 %. A gradual change of the
    /// position is then not a jump.
    bool is_slewed = false;
};
/// For samples that were not encoded.
inline constexpr ChirpTolerance pcm_tolerance{
    .transition = std::chrono::milliseconds(1), .frame = Samples(0), .concealment = Samples(0)};
/// For a path that encodes to Opus, loses frames of this duration, and conceals by any duration.
constexpr ChirpTolerance opus_tolerance(std::chrono::milliseconds frame)
{
    return {.transition = std::chrono::milliseconds(4),
            .frame = frame,
            .concealment = std::chrono::milliseconds(200)};
}

/// Analyses a recording at 48 kHz whose channels all contain the signal. The account is empty if
/// the signal is not recognised. A jump of more than half of chirp_length is misjudged.
[[nodiscard]] ChirpAccount analyse_chirp(std::span<const std::int16_t> recording, unsigned channels,
                                         const ChirpTolerance &tolerance);

} // namespace jkvm::testing
