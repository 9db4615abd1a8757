// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/played_audio.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace jkvm::testing {
namespace {

/// Returns the number after " name=".
double read_field(const std::string &line, const std::string &name)
{
    const auto at = line.find(" " + name + "=");
    return at == std::string::npos ? 0 : std::stod(line.substr(at + name.size() + 2));
}

} // namespace

PlayedAudio::PlayedAudio(const TestPcm &pcm, unsigned channels) : channels_{channels}
{
    std::ifstream file{pcm.directory() + "/played", std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    samples_.resize(bytes.size() / sizeof(int32_t));
    std::copy_n(bytes.data(), samples_.size() * sizeof(int32_t),
                reinterpret_cast<char *>(samples_.data()));
    std::istringstream lines{pcm.log()};
    for (std::string line; std::getline(lines, line);) {
        if (line.find(" play ") != std::string::npos)
            marks_.push_back(
                {read_field(line, "frame"), read_field(line, "time"), read_field(line, "speed")});
    }
}

std::vector<double> PlayedAudio::channel(unsigned channel) const
{
    std::vector<double> samples;
    samples.reserve(frames());
    for (size_t i = channel; i < samples_.size(); i += channels_)
        samples.push_back(samples_[i] / 65536.0);
    return samples;
}

const PlayedAudio::Mark &PlayedAudio::mark_before(double frame) const
{
    const auto after = std::upper_bound(marks_.begin(), marks_.end(), frame,
                                        [](double f, const Mark &mark) { return f < mark.frame; });
    if (after == marks_.begin())
        throw std::out_of_range("no time is known of this frame");
    return *std::prev(after);
}

std::chrono::nanoseconds PlayedAudio::time_of(double frame) const
{
    const Mark &mark = mark_before(frame);
    return std::chrono::nanoseconds(
        std::llround(mark.time + 1e9 * (frame - mark.frame) / mark.speed));
}

size_t PlayedAudio::first_above(double level, std::chrono::nanoseconds time) const
{
    for (size_t i = 0; i < frames(); i++) {
        if (std::abs(samples_[i * channels_] / 65536.0) >= level &&
            time_of(static_cast<double>(i)) >= time)
            return i;
    }
    return frames();
}

} // namespace jkvm::testing
