// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests with a decoder that muting by coded silence causes no click.
#include "core/opus/opus_packet.h"
#include "core/opus/silence_packet.h"

#include <gtest/gtest.h>
#include <opus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <vector>

namespace jkvm {
namespace {

constexpr int rate = 48000;
// 2.5 to 60 ms.
constexpr std::array frames{120, 240, 480, 960, 1920, 2880};
// Values of a private option of libopus.
constexpr int force_mode = 11002;
constexpr int silk = 1000;
constexpr int hybrid = 1001;
constexpr int celt = 1002;

using EncoderPtr = std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)>;
using DecoderPtr = std::unique_ptr<OpusDecoder, decltype(&opus_decoder_destroy)>;

struct Format {
    int mode; // silk, hybrid or celt
    int bandwidth;
    int channels;
    int frame; // samples per channel
};

/// Noise like that of unvoiced speech, whose level changes three times a second.
class Noise {
public:
    double next()
    {
        seed_ = seed_ * 1103515245U + 12345U;
        level_ = 0.9 * level_ + (static_cast<double>((seed_ >> 16) % 32768) - 16384) * 0.3;
        return level_ * (0.6 + 0.4 * std::sin(2 * std::numbers::pi * 3 * time_++ / rate));
    }

private:
    unsigned seed_ = 1;
    double level_ = 0;
    double time_ = 0;
};

class Sine {
public:
    double next() { return 12000 * std::sin(2 * std::numbers::pi * 300 * time_++ / rate); }

private:
    double time_ = 0;
};

/// Decodes a stream. Measures the first channel.
class Listener {
public:
    explicit Listener(int channels)
        : channels_(static_cast<std::size_t>(channels)),
          decoder_(opus_decoder_create(rate, channels, nullptr), opus_decoder_destroy)
    {}

    void decode(std::span<const std::byte> packet)
    {
        const int count =
            opus_decode(decoder_.get(), reinterpret_cast<const unsigned char *>(packet.data()),
                        static_cast<opus_int32>(packet.size()), samples_.data(), max_frame, 0);
        ASSERT_GT(count, 0);
        double energy = 0;
        for (int i = 0; i < count; ++i) {
            const int sample = samples_[static_cast<std::size_t>(i) * channels_];
            largest_step_ = std::max(largest_step_, std::abs(sample - last_));
            last_ = sample;
            energy += static_cast<double>(sample) * sample;
        }
        level_ = std::sqrt(energy / count);
    }
    [[nodiscard]] int largest_step() const { return largest_step_; }
    /// Root mean square of the last packet.
    [[nodiscard]] double level() const { return level_; }

private:
    static constexpr int max_frame = 5760;
    std::size_t channels_;
    DecoderPtr decoder_;
    std::vector<std::int16_t> samples_ = std::vector<std::int16_t>(2 * std::size_t{max_frame});
    int last_ = 0;
    int largest_step_ = 0;
    double level_ = 0;
};

/// Mutes every second period of 300 ms of a stream in the format.
void expect_no_click(const Format &format, auto signal)
{
    const EncoderPtr encoder(
        opus_encoder_create(rate, format.channels, OPUS_APPLICATION_VOIP, nullptr),
        opus_encoder_destroy);
    ASSERT_EQ(opus_encoder_ctl(encoder.get(), force_mode, format.mode), OPUS_OK);
    ASSERT_EQ(opus_encoder_ctl(encoder.get(), OPUS_SET_BANDWIDTH(format.bandwidth)), OPUS_OK);
    ASSERT_EQ(opus_encoder_ctl(encoder.get(), OPUS_SET_FORCE_CHANNELS(format.channels)), OPUS_OK);
    opus_encoder_ctl(encoder.get(), OPUS_SET_COMPLEXITY(1));
    opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(32000 * format.channels));
    Listener unmuted(format.channels);
    Listener muted(format.channels);
    const int period = rate * 3 / 10 / format.frame + 1;
    std::vector<std::int16_t> samples(static_cast<std::size_t>(format.frame * format.channels));
    std::array<unsigned char, 1500> bytes{};
    for (int i = 0; i < 4 * period; ++i) {
        for (std::size_t k = 0; k < samples.size(); k += static_cast<std::size_t>(format.channels))
            std::fill_n(samples.begin() + static_cast<std::ptrdiff_t>(k), format.channels,
                        static_cast<std::int16_t>(signal.next()));
        const auto size = opus_encode(encoder.get(), samples.data(), format.frame, bytes.data(),
                                      static_cast<opus_int32>(bytes.size()));
        ASSERT_GT(size, 0);
        const auto packet = std::as_bytes(std::span(bytes).first(static_cast<std::size_t>(size)));
        const auto facts = opus_packet_facts(packet);
        ASSERT_TRUE(facts);
        ASSERT_EQ(static_cast<int>(facts->mode), format.mode - silk);
        ASSERT_EQ(static_cast<int>(facts->bandwidth), format.bandwidth);
        unmuted.decode(packet);
        if (i / period % 2 == 0) {
            muted.decode(packet);
            continue;
        }
        muted.decode(SilencePacket(Codec::opus, packet).bytes());
        if (i % period == period - 1) {
            EXPECT_LT(muted.level(), 2) << "not silent";
        }
    }
    EXPECT_LE(muted.largest_step(), unmuted.largest_step());
}

/// Whether Opus has such frames; those of 40 and 60 ms may be several in a packet.
bool is_possible(const Format &format)
{
    if (format.mode == celt)
        return format.bandwidth != OPUS_BANDWIDTH_MEDIUMBAND;
    const bool is_wide = format.bandwidth > OPUS_BANDWIDTH_WIDEBAND;
    return is_wide == (format.mode == hybrid) && format.frame >= rate / 100;
}

TEST(Mute, CausesNoClickInAnyModeOfOpus)
{
    for (const int mode : {silk, hybrid, celt})
        for (int bandwidth = OPUS_BANDWIDTH_NARROWBAND; bandwidth <= OPUS_BANDWIDTH_FULLBAND;
             ++bandwidth)
            for (const int channels : {1, 2})
                for (const int frame : frames) {
                    const Format format{mode, bandwidth, channels, frame};
                    SCOPED_TRACE("mode " + std::to_string(mode) + ", bandwidth " +
                                 std::to_string(bandwidth) + ", channels " +
                                 std::to_string(channels) + ", frame " + std::to_string(frame));
                    if (is_possible(format))
                        expect_no_click(format, Noise());
                }
}

TEST(Mute, CausesNoClickInASineOfCelt)
{
    for (const int frame : frames)
        expect_no_click({celt, OPUS_BANDWIDTH_FULLBAND, 2, frame}, Sine());
}

} // namespace
} // namespace jkvm
