// SPDX-License-Identifier: LGPL-2.1-or-later
// Generates the content of the test PCM: a looped WAV file or a sine.
#include "alsa/signal.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numbers>

namespace jkvm::testing {
namespace {

constexpr size_t max_file_bytes = size_t{512} << 20;
constexpr unsigned max_channels = 8;
constexpr unsigned format_pcm = 1;
constexpr unsigned format_extensible = 0xFFFE; // the sub-format is the actual format

/// Reads a span of bytes sequentially; every read is bounds-checked.
class Reader {
public:
    explicit Reader(std::span<const unsigned char> bytes) : bytes_{bytes} {}

    [[nodiscard]] size_t left() const { return bytes_.size(); }

    std::span<const unsigned char> take(size_t count, const char *what)
    {
        if (count > bytes_.size())
            throw SignalError(std::string("the file ends inside ") + what);
        const auto taken = bytes_.first(count);
        bytes_ = bytes_.subspan(count);
        return taken;
    }

    unsigned take_u16(const char *what)
    {
        const auto b = take(2, what);
        return b[0] | (unsigned{b[1]} << 8);
    }

    uint32_t take_u32(const char *what)
    {
        const uint32_t low = take_u16(what);
        return low | (uint32_t{take_u16(what)} << 16);
    }

    bool take_tag(const char *tag, const char *what)
    {
        return std::memcmp(take(4, what).data(), tag, 4) == 0;
    }

private:
    std::span<const unsigned char> bytes_;
};

void parse_format(std::span<const unsigned char> chunk, Wave &wave)
{
    const char *what = "the format chunk";
    Reader in{chunk};
    unsigned format = in.take_u16(what);
    wave.channels = in.take_u16(what);
    wave.rate = in.take_u32(what);
    in.take(4, what); // bytes per second, redundant
    const unsigned frame_bytes = in.take_u16(what);
    const unsigned bits = in.take_u16(what);
    if (format == format_extensible) {
        in.take(8, what); // extension size, valid bits, channel mask
        format = in.take_u16(what);
    }
    if (format != format_pcm || bits != 16)
        throw SignalError("only 16 bit PCM can be played; this is format " +
                          std::to_string(format) + " with " + std::to_string(bits) + " bits");
    if (wave.channels == 0 || wave.channels > max_channels)
        throw SignalError("only 1 to 8 channels can be played, not " +
                          std::to_string(wave.channels));
    if (wave.rate == 0)
        throw SignalError("the sample rate is 0");
    if (frame_bytes != wave.channels * 2)
        throw SignalError("a frame of " + std::to_string(frame_bytes) + " bytes does not fit " +
                          std::to_string(wave.channels) + " channels");
}

void parse_data(std::span<const unsigned char> chunk, Wave &wave)
{
    const size_t frames = chunk.size() / (size_t{wave.channels} * 2);
    if (frames == 0)
        throw SignalError("it contains no frames");
    wave.samples.resize(frames * wave.channels);
    for (size_t i = 0; i < wave.samples.size(); i++)
        wave.samples[i] = static_cast<int16_t>(chunk[2 * i] | (chunk[2 * i + 1] << 8));
}

int32_t to_s32(double value)
{
    constexpr double full = std::numeric_limits<int32_t>::max();
    return static_cast<int32_t>(std::lrint(std::clamp(value, -1.0, 1.0) * full));
}

} // namespace

Wave parse_wave(std::span<const unsigned char> file)
{
    Reader in{file};
    const bool riff = in.take_tag("RIFF", "the header");
    in.take_u32("the header"); // its length is ignored
    if (!riff || !in.take_tag("WAVE", "the header"))
        throw SignalError("this is not a RIFF WAVE file");
    Wave wave;
    while (in.left() > 0) {
        const auto tag = in.take(4, "a chunk header");
        const uint32_t length = in.take_u32("a chunk header");
        const auto is = [&tag](const char *name) { return std::memcmp(tag.data(), name, 4) == 0; };
        if (is("data")) {
            if (wave.channels == 0)
                throw SignalError("the data chunk precedes the format chunk");
            parse_data(in.take(length, "the data"), wave);
            return wave;
        }
        const auto chunk = in.take(length, "a chunk");
        if (is("fmt "))
            parse_format(chunk, wave);
        if (length % 2 == 1 && in.left() > 0)
            in.take(1, "a chunk"); // chunks start at even offsets
    }
    throw SignalError("there is no data chunk");
}

Wave load_wave(const std::string &path)
{
    std::ifstream file{path, std::ios::binary | std::ios::ate};
    const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
    if (size < 0)
        throw SignalError(path + ": cannot be opened");
    if (static_cast<uint64_t>(size) > max_file_bytes)
        throw SignalError(path + ": is longer than 512 MiB");
    std::vector<unsigned char> bytes(static_cast<size_t>(size));
    file.seekg(0);
    if (!file.read(reinterpret_cast<char *>(bytes.data()), size))
        throw SignalError(path + ": cannot be read");
    try {
        return parse_wave(bytes);
    } catch (const SignalError &error) {
        throw SignalError(path + ": " + error.what());
    }
}

Signal Signal::tone(double frequency)
{
    Signal signal;
    signal.frequency_ = frequency;
    signal.amplitude_ = 0.5;
    return signal;
}

Signal Signal::loop(Wave wave)
{
    Signal signal;
    signal.wave_ = std::move(wave);
    return signal;
}

double Signal::cycles_at(uint64_t position) const
{
    // Signed, because a repeated read may begin before the position of the last change.
    const auto distance = static_cast<double>(static_cast<int64_t>(position - phase_position_));
    const double cycles = phase_cycles_ + distance * frequency_ / rate_;
    return cycles - std::floor(cycles);
}

void Signal::set_frequency(double frequency, uint64_t at)
{
    phase_cycles_ = cycles_at(at);
    phase_position_ = at;
    frequency_ = frequency;
}

void Signal::fill(uint64_t position, unsigned channels, std::span<int32_t> out) const
{
    if (constant_) {
        std::fill(out.begin(), out.end(), to_s32(*constant_));
        return;
    }
    const size_t frames = out.size() / channels;
    if (!wave_) {
        for (size_t i = 0; i < frames; i++) {
            const double angle = 2 * std::numbers::pi * cycles_at(position + i);
            std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(i * channels), channels,
                        to_s32(amplitude_ * std::sin(angle)));
        }
        return;
    }
    uint64_t frame = position % wave_->frames();
    for (size_t i = 0; i < frames; i++) {
        for (unsigned c = 0; c < channels; c++) {
            const int32_t sample =
                wave_->samples[frame * wave_->channels + c % wave_->channels] * 65536;
            // At unity gain, samples are passed through bit-exactly.
            out[i * channels + c] =
                amplitude_ == 1.0 ? sample : to_s32(amplitude_ * sample / 2147483648.0);
        }
        if (++frame == wave_->frames())
            frame = 0;
    }
}

} // namespace jkvm::testing
