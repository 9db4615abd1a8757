// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the content of the test PCM: WAV files, the tone, sample formats.
#include "alsa/sample_format.h"
#include "alsa/signal.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

namespace jkvm::testing {
namespace {

using Bytes = std::vector<unsigned char>;

void add(Bytes &to, const char *tag)
{
    for (int i = 0; i < 4; i++)
        to.push_back(static_cast<unsigned char>(tag[i]));
}

void add(Bytes &to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

struct Header {
    unsigned format = 1;
    unsigned channels = 1;
    unsigned rate = 16000;
    unsigned frame_bytes = 2;
    unsigned bits = 16;
};

Bytes format_chunk(const Header &header)
{
    Bytes chunk;
    add(chunk, "fmt ");
    add(chunk, 16, 4);
    add(chunk, header.format, 2);
    add(chunk, header.channels, 2);
    add(chunk, header.rate, 4);
    add(chunk, header.rate * header.frame_bytes, 4);
    add(chunk, header.frame_bytes, 2);
    add(chunk, header.bits, 2);
    return chunk;
}

Bytes data_chunk(const std::vector<int16_t> &samples)
{
    Bytes chunk;
    add(chunk, "data");
    add(chunk, static_cast<uint32_t>(samples.size() * 2), 4);
    for (const int16_t sample : samples)
        add(chunk, static_cast<uint16_t>(sample), 2);
    return chunk;
}

Bytes riff(const std::vector<Bytes> &chunks)
{
    Bytes file;
    add(file, "RIFF");
    add(file, 0, 4);
    add(file, "WAVE");
    for (const Bytes &chunk : chunks)
        file.insert(file.end(), chunk.begin(), chunk.end());
    return file;
}

std::string error_of(const Bytes &file)
{
    try {
        static_cast<void>(parse_wave(file));
    } catch (const SignalError &error) {
        return error.what();
    }
    return "";
}

std::vector<int32_t> fill(const Signal &signal, uint64_t position, unsigned channels, size_t frames)
{
    std::vector<int32_t> out(frames * channels);
    signal.fill(position, channels, out);
    return out;
}

constexpr int32_t high(int sample)
{
    return sample * 65536;
}

Wave small_wave(unsigned channels, std::vector<int16_t> samples)
{
    return {.rate = 16000, .channels = channels, .samples = std::move(samples)};
}

TEST(Wave, ReadsRateChannelsAndSamples)
{
    const Wave wave =
        parse_wave(riff({format_chunk({.channels = 2, .rate = 192000, .frame_bytes = 4}),
                         data_chunk({1, -2, 300, -32768})}));
    EXPECT_EQ(wave.rate, 192000u);
    EXPECT_EQ(wave.channels, 2u);
    EXPECT_EQ(wave.frames(), 2u);
    EXPECT_EQ(wave.samples, (std::vector<int16_t>{1, -2, 300, -32768}));
}

TEST(Wave, SkipsOtherChunksAndTheirPadding)
{
    Bytes list;
    add(list, "LIST");
    add(list, 3, 4);
    list.insert(list.end(), {'a', 'b', 'c', 0});
    const Wave wave = parse_wave(riff({list, format_chunk({}), list, data_chunk({7})}));
    EXPECT_EQ(wave.samples, std::vector<int16_t>{7});
}

TEST(Wave, AcceptsTheExtensibleFormat)
{
    Bytes format = format_chunk({.format = 0xFFFE});
    format[4] = 40;
    add(format, 22, 2);
    add(format, 16, 2);
    add(format, 4, 4);
    add(format, 1, 2); // the sub-format: PCM
    format.resize(8 + 40);
    EXPECT_EQ(parse_wave(riff({format, data_chunk({5})})).samples, std::vector<int16_t>{5});
}

TEST(Wave, ReportsWhyAFileIsInvalid)
{
    const Bytes format = format_chunk({});
    const Bytes data = data_chunk({1, 2});
    EXPECT_EQ(error_of({}), "the file ends inside the header");
    EXPECT_EQ(error_of(Bytes(12, 'x')), "this is not a RIFF WAVE file");
    EXPECT_EQ(error_of(riff({format})), "there is no data chunk");
    EXPECT_EQ(error_of(riff({data, format})), "the data chunk precedes the format chunk");
    EXPECT_EQ(error_of(riff({format, data_chunk({})})), "it contains no frames");
    EXPECT_EQ(error_of(riff({format_chunk({.rate = 0}), data})), "the sample rate is 0");
    EXPECT_NE(error_of(riff({format_chunk({.channels = 9}), data})).find("channels"),
              std::string::npos);
    EXPECT_NE(error_of(riff({format_chunk({.channels = 0}), data})).find("channels"),
              std::string::npos);
    EXPECT_NE(error_of(riff({format_chunk({.bits = 24}), data})).find("24 bits"),
              std::string::npos);
    EXPECT_NE(error_of(riff({format_chunk({.format = 3}), data})).find("format 3"),
              std::string::npos);
    EXPECT_NE(error_of(riff({format_chunk({.frame_bytes = 3}), data})).find("frame of 3"),
              std::string::npos);
}

TEST(Wave, RejectsAFileTruncatedAnywhere)
{
    const Bytes whole = riff({format_chunk({}), data_chunk({1, 2, 3})});
    for (size_t length = 0; length < whole.size(); length++)
        EXPECT_NE(error_of(Bytes(whole.begin(), whole.begin() + static_cast<long>(length))), "")
            << length;
    EXPECT_EQ(error_of(whole), "");
}

TEST(Wave, RejectsAChunkLongerThanTheFile)
{
    Bytes data = data_chunk({1, 2});
    data[7] = 0xFF;
    EXPECT_EQ(error_of(riff({format_chunk({}), data})), "the file ends inside the data");
}

TEST(Wave, NamesAFileThatCannotBeOpened)
{
    try {
        static_cast<void>(load_wave("/nonexistent/x.wav"));
        FAIL() << "no error";
    } catch (const SignalError &error) {
        EXPECT_STREQ(error.what(), "/nonexistent/x.wav: cannot be opened");
    }
}

TEST(Signal, LoopsAFileAtItsEnd)
{
    const Signal signal = Signal::loop(small_wave(1, {10, 20, 30}));
    EXPECT_EQ(fill(signal, 2, 1, 5),
              (std::vector{high(30), high(10), high(20), high(30), high(10)}));
    EXPECT_EQ(fill(signal, 3'000'000'001, 1, 1), std::vector{high(20)});
}

TEST(Signal, DoesNotMixTheChannelsOfAFile)
{
    const Signal signal = Signal::loop(small_wave(2, {1, 2, 3, 4}));
    EXPECT_EQ(fill(signal, 1, 2, 1), (std::vector{high(3), high(4)}));
}

TEST(Signal, PlaysAMonoFileOnBothChannels)
{
    const Signal signal = Signal::loop(small_wave(1, {10, 20}));
    EXPECT_EQ(fill(signal, 0, 2, 2), (std::vector{high(10), high(10), high(20), high(20)}));
}

TEST(Signal, ScalesAndClipsAFile)
{
    Signal signal = Signal::loop(small_wave(1, {1000, -32768}));
    signal.set_amplitude(2);
    const auto out = fill(signal, 0, 1, 2);
    EXPECT_NEAR(out[0], high(2000), 65536);
    EXPECT_EQ(out[1], -std::numeric_limits<int32_t>::max());
}

TEST(Signal, IsASineOfItsFrequency)
{
    Signal signal = Signal::tone(1000);
    signal.set_rate(8000);
    signal.set_amplitude(1);
    const double full = std::numeric_limits<int32_t>::max();
    const auto out = fill(signal, 0, 1, 16);
    for (size_t i = 0; i < out.size(); i++) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(i) / 8;
        EXPECT_NEAR(out[i], full * std::sin(angle), 2) << i;
    }
}

TEST(Signal, ToneIsHalfOfFullScaleOnEveryChannel)
{
    Signal signal = Signal::tone(12000);
    signal.set_rate(48000);
    EXPECT_EQ(fill(signal, 1, 3, 1), std::vector<int32_t>(3, 1 << 30));
}

TEST(Signal, IsAFunctionOfThePositionAlone)
{
    Signal signal = Signal::tone(997);
    const auto whole = fill(signal, 1'000'000, 2, 100);
    const auto later = fill(signal, 1'000'050, 2, 50);
    EXPECT_EQ(std::vector<int32_t>(whole.begin() + 100, whole.end()), later);
    EXPECT_EQ(fill(signal, 1'000'000, 2, 100), whole);
}

TEST(Signal, ChangesItsFrequencyWithoutAStep)
{
    Signal signal = Signal::tone(1000);
    const int32_t before = fill(signal, 12345, 1, 1)[0];
    signal.set_frequency(440, 12345);
    const auto after = fill(signal, 12345, 1, 2);
    EXPECT_EQ(after[0], before);
    const double phase = 2 * std::numbers::pi * (1000.0 * 12345 + 440) / 48000;
    EXPECT_NEAR(after[1], 0.5 * std::numeric_limits<int32_t>::max() * std::sin(phase), 10);
}

TEST(Signal, IsConstantUntilReset)
{
    Signal signal = Signal::loop(small_wave(1, {10, 20}));
    signal.set_constant(0.5);
    EXPECT_EQ(fill(signal, 0, 1, 3), std::vector<int32_t>(3, 1 << 30));
    signal.set_constant(std::nullopt);
    EXPECT_EQ(fill(signal, 0, 1, 1), std::vector{high(10)});
}

TEST(SampleFormat, StoresLittleEndianRoundedAndClipped)
{
    struct Case {
        SampleFormat format;
        int32_t sample;
        Bytes stored;
    };
    const Case cases[] = {
        {SampleFormat::s16_le, 0x12347FFF, {0x34, 0x12}},
        {SampleFormat::s16_le, 0x12348000, {0x35, 0x12}},
        {SampleFormat::s16_le, 0x7FFFFFFF, {0xFF, 0x7F}},
        {SampleFormat::s16_le, -0x7FFFFFFF - 1, {0x00, 0x80}},
        {SampleFormat::s24_3le, 0x12345678, {0x56, 0x34, 0x12}},
        {SampleFormat::s24_le, -256, {0xFF, 0xFF, 0xFF, 0xFF}},
        {SampleFormat::s24_le, 0x7FFFFFFF, {0xFF, 0xFF, 0x7F, 0x00}},
        {SampleFormat::s32_le, 0x12345678, {0x78, 0x56, 0x34, 0x12}},
    };
    for (const Case &c : cases) {
        std::array<unsigned char, 5> to{};
        to.fill(0xAA);
        store_sample(c.format, c.sample, to.data());
        const auto end = to.begin() + static_cast<long>(c.stored.size());
        EXPECT_EQ(Bytes(to.begin(), end), c.stored) << c.sample;
        EXPECT_EQ(*end, 0xAA) << "wrote past the end";
    }
}

} // namespace
} // namespace jkvm::testing
