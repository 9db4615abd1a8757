// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/chirp.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <opus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t ms = chirp_rate / 1000;
using Recording = std::vector<std::int16_t>;

/// The signal from `begin` on, longer than one period if necessary.
Recording play(std::size_t begin, std::size_t count)
{
    static const auto signal = make_chirp();
    Recording samples(count);
    for (std::size_t i = 0; i < count; ++i)
        samples[i] = signal[(begin + i) % signal.size()];
    return samples;
}

void append(Recording &recording, const Recording &part)
{
    recording.insert(recording.end(), part.begin(), part.end());
}

ChirpAccount analyse(const Recording &recording)
{
    return analyse_chirp(recording, 1, pcm_tolerance);
}

void expect_account(const ChirpAccount &account, const ChirpAccount &expected)
{
    EXPECT_TRUE(account.played == expected.played && account.missing == expected.missing &&
                account.repeated == expected.repeated && account.stale == expected.stale &&
                account.concealed == expected.concealed)
        << account << "\nexpected: " << expected;
}

TEST(Chirp, EveryMillisecondIsDifferent)
{
    const auto signal = make_chirp();
    double highest = 0;
    // Each thousandth millisecond is compared with all others.
    for (std::size_t a = 0; a < signal.size(); a += 1000 * ms) {
        for (std::size_t b = 0; b < signal.size(); b += ms) {
            if (a == b)
                continue;
            double product = 0;
            double energy_a = 0;
            double energy_b = 0;
            for (std::size_t i = 0; i < 10 * ms; ++i) {
                const double x = signal[(a + i) % signal.size()];
                const double y = signal[(b + i) % signal.size()];
                product += x * y;
                energy_a += x * x;
                energy_b += y * y;
            }
            highest = std::max(highest, product / std::sqrt(energy_a * energy_b));
        }
    }
    EXPECT_LT(highest, 0.7); // correlation of 10 ms
}

TEST(Chirp, PhaseIsContinuousWhereTheSignalRepeats)
{
    const auto signal = make_chirp();
    int largest = 0;
    for (std::size_t i = 1; i < signal.size(); ++i)
        largest = std::max(largest, std::abs(signal[i] - signal[i - 1]));
    EXPECT_LE(std::abs(signal.front() - signal.back()), largest);
    EXPECT_TRUE(analyse(play(0, 2 * signal.size())).is_unbroken());
}

TEST(Chirp, IsWrittenAsWaveFile)
{
    const TemporaryDirectory directory;
    write_chirp(directory.file("chirp.wav"), 2);
    std::ifstream file(directory.file("chirp.wav"), std::ios::binary);
    std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    const auto signal = make_chirp();
    constexpr std::size_t header = 44;
    ASSERT_EQ(bytes.size(), header + 4 * signal.size());
    EXPECT_EQ(std::string(bytes.data(), 4), "RIFF");
    std::array<std::int16_t, 4> frames{};
    std::memcpy(frames.data(), bytes.data() + header + 4000, sizeof frames);
    EXPECT_EQ(frames[0], signal[1000]);
    EXPECT_EQ(frames[1], signal[1000]);
    EXPECT_EQ(frames[2], signal[1001]);
}

TEST(ChirpAnalysis, UnbrokenRecordingHasNoEvents)
{
    for (const std::size_t begin : {0UL, 12345UL, 479000UL})
        expect_account(analyse(play(begin, 500 * ms)), {.played = 500ms});
}

TEST(ChirpAnalysis, CountsMissingFrame)
{
    for (const std::size_t dropped : {1UL, 20UL, 60UL, 1000UL}) {
        auto recording = play(0, 300 * ms);
        append(recording, play((300 + dropped) * ms, 300 * ms));
        expect_account(analyse(recording),
                       {.played = 600ms, .missing = std::chrono::milliseconds(dropped)});
    }
}

TEST(ChirpAnalysis, CountsMissingSamplesOfAnyNumber)
{
    auto recording = play(0, 300 * ms);
    append(recording, play(300 * ms + 1777, 300 * ms));
    expect_account(analyse(recording), {.played = 600ms, .missing = Samples(1777)});
}

TEST(ChirpAnalysis, CountsRepeatedFrame)
{
    auto recording = play(0, 300 * ms);
    append(recording, play(280 * ms, 300 * ms));
    expect_account(analyse(recording), {.played = 600ms, .repeated = 20ms});
}

TEST(ChirpAnalysis, CountsStaleFrame)
{
    auto recording = play(0, 300 * ms);
    append(recording, play(320 * ms, 20 * ms));
    append(recording, play(300 * ms, 20 * ms)); // out of order
    append(recording, play(340 * ms, 300 * ms));
    expect_account(analyse(recording), {.played = 640ms, .stale = 20ms});
}

TEST(ChirpAnalysis, CountsSilenceInPlaceOfLostFrameAsConcealed)
{
    auto recording = play(0, 600 * ms);
    std::fill_n(recording.begin() + 300 * ms, 20 * ms, std::int16_t{0});
    expect_account(analyse(recording), {.played = 580ms, .missing = 20ms, .concealed = 20ms});
}

TEST(ChirpAnalysis, CountsInsertedAudioAsConcealedOnly)
{
    auto recording = play(0, 300 * ms);
    append(recording, Recording(40 * ms, 1000));
    append(recording, play(300 * ms, 300 * ms));
    expect_account(analyse(recording), {.played = 600ms, .concealed = 40ms});
}

/// The signal from `begin` (samples) on, played faster by `ppm`.
Recording play_faster(double begin, std::size_t count, double ppm)
{
    static const auto signal = make_chirp();
    Recording samples(count);
    for (std::size_t i = 0; i < count; ++i) {
        const double at = begin + static_cast<double>(i) * (1 + ppm * 1e-6);
        const auto before = static_cast<std::size_t>(at);
        const double part = at - static_cast<double>(before);
        samples[i] = static_cast<std::int16_t>(signal[before % signal.size()] * (1 - part) +
                                               signal[(before + 1) % signal.size()] * part);
    }
    return samples;
}

TEST(ChirpAnalysis, FollowsSlewedAudioAcrossALoss)
{
    constexpr ChirpTolerance tolerance{
        .transition = 1ms, .frame = Samples(0), .concealment = Samples(0), .is_slewed = true};
    for (const double ppm : {5000.0, -5000.0, 200.0}) {
        auto recording = play(0, 1000 * ms);
        append(recording, play_faster(1000.0 * ms, 2000 * ms, ppm));
        const double end = (3000 + 2000 * ppm * 1e-6) * ms;
        append(recording, play_faster(end + 20.0 * ms, 2000 * ms, ppm));
        const auto account = analyse_chirp(recording, 1, tolerance);
        constexpr Samples rounding{8};
        EXPECT_EQ(account.events.size(), 1u) << account;
        EXPECT_LE(std::chrono::abs(account.missing - 20ms), rounding) << account;
        EXPECT_LE(account.repeated + account.stale + account.concealed, rounding) << account;
    }
}

TEST(ChirpAnalysis, IgnoresAudioBeforeTheSignal)
{
    Recording recording(123, 0);
    append(recording, play(5000, 500 * ms));
    const auto account = analyse(recording);
    EXPECT_TRUE(account.is_unbroken()) << account;
    EXPECT_GT(account.played, 498ms);
}

TEST(ChirpAnalysis, RecognisesNothingInOtherAudio)
{
    Recording tone(50 * ms);
    for (std::size_t i = 0; i < tone.size(); ++i)
        tone[i] = static_cast<std::int16_t>(10000 * std::sin(0.1305 * static_cast<double>(i)));
    expect_account(analyse(tone), {});
    expect_account(analyse(Recording(500 * ms, 0)), {});
    expect_account(analyse({}), {});
}

/// Encodes the signal in frames and decodes it; `is_lost` and `is_dropped` choose frames that are
/// concealed by the decoder, or left out, and `inserted_before` adds concealment before a frame.
class OpusPath {
public:
    OpusPath(unsigned channels, int bitrate, std::chrono::milliseconds frame)
        : channels_(channels), frame_(static_cast<int>(Samples(frame).count()))
    {
        int error = 0;
        encoder_.reset(opus_encoder_create(chirp_rate, static_cast<int>(channels),
                                           OPUS_APPLICATION_AUDIO, &error));
        decoder_.reset(opus_decoder_create(chirp_rate, static_cast<int>(channels), &error));
        opus_encoder_ctl(encoder_.get(), OPUS_SET_BITRATE(bitrate));
    }

    using Choice = std::function<bool(int)>;
    using Insertion = std::function<Samples(int)>;
    Recording run(
        int frames, const Choice &is_lost, const Choice &is_dropped,
        const Insertion &inserted_before = [](int) { return Samples(0); })
    {
        Recording result;
        Recording output(static_cast<std::size_t>(frame_) * channels_);
        for (int number = 0; number < frames; ++number) {
            const auto mono =
                play(static_cast<std::size_t>(number) * static_cast<std::size_t>(frame_),
                     static_cast<std::size_t>(frame_));
            Recording input;
            for (const auto sample : mono)
                input.insert(input.end(), channels_, sample);
            std::array<unsigned char, 1500> packet{};
            const auto size =
                opus_encode(encoder_.get(), input.data(), frame_, packet.data(), packet.size());
            if (is_dropped(number))
                continue;
            conceal(result, inserted_before(number));
            EXPECT_EQ(opus_decode(decoder_.get(), is_lost(number) ? nullptr : packet.data(), size,
                                  output.data(), frame_, 0),
                      frame_);
            append(result, output);
        }
        return result;
    }

private:
    void conceal(Recording &result, Samples duration)
    {
        if (duration == Samples(0))
            return;
        Recording output(static_cast<std::size_t>(duration.count()) * channels_);
        const auto samples = static_cast<int>(duration.count());
        EXPECT_EQ(opus_decode(decoder_.get(), nullptr, 0, output.data(), samples, 0), samples);
        append(result, output);
    }

    struct Destroy {
        void operator()(OpusEncoder *encoder) const { opus_encoder_destroy(encoder); }
        void operator()(OpusDecoder *decoder) const { opus_decoder_destroy(decoder); }
    };
    const unsigned channels_;
    const int frame_; // samples per channel
    std::unique_ptr<OpusEncoder, Destroy> encoder_;
    std::unique_ptr<OpusDecoder, Destroy> decoder_;
};

struct Coding {
    unsigned channels;
    int bitrate;
    std::chrono::milliseconds frame;
};

class CodedChirp : public ::testing::TestWithParam<Coding> {
protected:
    static constexpr int frames = 150;
    [[nodiscard]] std::chrono::milliseconds frame() const { return GetParam().frame; }

    ChirpAccount run(const OpusPath::Choice &is_lost, const OpusPath::Choice &is_dropped)
    {
        OpusPath path(GetParam().channels, GetParam().bitrate, frame());
        const auto recording = path.run(frames, is_lost, is_dropped);
        return analyse_chirp(recording, GetParam().channels, opus_tolerance(frame()));
    }
    [[nodiscard]] Samples samples() const { return frame(); }
    static bool none(int) { return false; }
    static bool some(int number) { return number == 50 || number == 70 || number == 110; }
    static bool runs(int number) { return number == 50 || number == 51 || number == 100; }
};

TEST_P(CodedChirp, IsUnbrokenWithoutLoss)
{
    const auto account = run(none, none);
    EXPECT_TRUE(account.is_unbroken()) << account;
    EXPECT_GT(account.played, frames * frame() - 50ms) << account;
}

TEST_P(CodedChirp, CountsDroppedFrames)
{
    const auto account = run(none, some);
    EXPECT_EQ(account.events.size(), 3u) << account;
    EXPECT_EQ(account.missing, 3 * frame()) << account;
    EXPECT_EQ(account.concealed, 0ms) << account;
    EXPECT_EQ(account.repeated + account.stale, 0ms) << account;
}

TEST_P(CodedChirp, CountsConcealedFrames)
{
    const auto account = run(runs, none);
    EXPECT_EQ(account.events.size(), 2u) << account;
    EXPECT_EQ(account.missing, 3 * frame()) << account;
    EXPECT_EQ(account.concealed, 3 * frame()) << account;
    EXPECT_EQ(account.repeated + account.stale, 0ms) << account;
}

TEST_P(CodedChirp, CountsConcealmentOfAnyDuration)
{
    OpusPath path(GetParam().channels, GetParam().bitrate, frame());
    const auto recording = path.run(frames, none, none, [this](int number) {
        return number == 60 ? Samples(5ms) : number == 90 ? samples() + Samples(10ms) : Samples(0);
    });
    const auto account = analyse_chirp(recording, GetParam().channels, opus_tolerance(frame()));
    EXPECT_EQ(account.missing, 0ms) << account;
    EXPECT_EQ(account.concealed, samples() + Samples(15ms)) << account;
}

TEST_P(CodedChirp, FindsFramesInsideAConcealment)
{
    OpusPath path(GetParam().channels, GetParam().bitrate, frame());
    // Two runs of at least 20 ms between a concealment and two dropped frames; behind those, the
    // recording is in step with the signal again.
    const int run = std::max(1, static_cast<int>(20ms / frame()));
    const auto is_dropped = [run](int number) {
        return number == 70 + run || number == 71 + 2 * run;
    };
    const auto recording = path.run(frames, none, is_dropped, [this](int number) {
        return number == 70 ? 2 * samples() : Samples(0);
    });
    const auto account = analyse_chirp(recording, GetParam().channels, opus_tolerance(frame()));
    EXPECT_EQ(account.missing, 2 * frame()) << account;
    EXPECT_EQ(account.concealed, 2 * frame()) << account;
}

INSTANTIATE_TEST_SUITE_P(Coding, CodedChirp,
                         ::testing::Values(Coding{1, 96000, 20ms}, Coding{2, 96000, 20ms},
                                           Coding{2, 128000, 20ms}, Coding{2, 128000, 10ms},
                                           Coding{2, 320000, 5ms}, Coding{1, 96000, 60ms}),
                         [](const auto &info) {
                             return (info.param.channels == 1 ? "Mono" : "Stereo") +
                                    std::to_string(info.param.bitrate / 1000) + "Frame" +
                                    std::to_string(info.param.frame.count());
                         });

} // namespace
} // namespace jkvm::testing
