// SPDX-License-Identifier: LGPL-2.1-or-later
// concealment: measures how well libopus conceals a lost frame in steps of different lengths.
#include "benchmarks/replay.h"
#include "support/synthetic_audio.h"

#include <opus.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace jkvm::benchmark {
namespace {

using namespace std::chrono_literals;

constexpr auto usage =
    "usage: concealment [TRACE.csv[.gz]]...\n"
    "Prints a row for each sequence of steps: the level of the concealment relative to the lost\n"
    "audio (dB) after 10, 20 and 40 ms, then its signal-to-noise ratio (dB) until then. The last\n"
    "row takes the sequences from a replay of the traces with the policy tail-cost.\n";

constexpr int rate = 48000;
constexpr std::size_t frame_samples = 960;
constexpr std::size_t lost_samples = 2 * frame_samples; // 40 ms
using Samples = std::vector<float>;
using Packets = std::vector<std::vector<unsigned char>>;
using Steps = std::vector<std::size_t>; // in samples, one after the other

struct Signal {
    const char *name;
    Samples samples;
    int application;
    int bitrate;
};

std::vector<Signal> make_signals()
{
    using namespace testing;
    return {{"tone, CELT", tone(), OPUS_APPLICATION_AUDIO, 96000},
            {"music, CELT", music(), OPUS_APPLICATION_AUDIO, 96000},
            {"speech, CELT", speech(), OPUS_APPLICATION_AUDIO, 96000},
            {"speech, SILK", speech(), OPUS_APPLICATION_VOIP, 16000}};
}

void check(int result)
{
    if (result >= 0)
        return;
    std::fprintf(stderr, "concealment: libopus: %s\n", opus_strerror(result));
    std::exit(EXIT_FAILURE);
}

Packets encode(const Signal &signal)
{
    int error = OPUS_OK;
    const std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(rate, 1, signal.application, &error), opus_encoder_destroy);
    opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(signal.bitrate));
    Packets packets;
    std::array<unsigned char, 1500> packet{};
    const std::span samples(signal.samples);
    for (std::size_t i = 0; i + frame_samples <= samples.size(); i += frame_samples) {
        const auto size = opus_encode_float(encoder.get(), &samples[i], frame_samples,
                                            packet.data(), packet.size());
        check(size);
        packets.emplace_back(packet.begin(), packet.begin() + size);
    }
    return packets;
}

class Decoder {
public:
    void decode(const std::vector<unsigned char> &packet, float *to)
    {
        check(opus_decode_float(handle_.get(), packet.data(),
                                static_cast<opus_int32>(packet.size()), to, frame_samples, 0));
    }
    void conceal(std::size_t samples, float *to)
    {
        check(opus_decode_float(handle_.get(), nullptr, 0, to, static_cast<int>(samples), 0));
    }

private:
    int error_ = OPUS_OK;
    std::unique_ptr<OpusDecoder, decltype(&opus_decoder_destroy)> handle_{
        opus_decoder_create(rate, 1, &error_), opus_decoder_destroy};
};

/// Sums of the energies of lost and concealed audio.
struct Energies {
    double lost = 0;      // in the last 5 ms
    double concealed = 0; // in the last 5 ms
    double signal = 0;    // since the loss
    double noise = 0;     // since the loss
};
constexpr std::array<std::size_t, 3> moments{480, 960, 1920}; // samples since the loss
using Results = std::array<std::vector<Energies>, moments.size()>;

void compare(std::span<const float> lost, std::span<const float> concealed, Results &results)
{
    constexpr std::size_t window = 240;
    for (std::size_t m = 0; m < moments.size() && concealed.size() >= moments[m]; ++m) {
        Energies energies;
        for (std::size_t i = 0; i < moments[m]; ++i) {
            const double noise = concealed[i] - lost[i];
            energies.signal += lost[i] * lost[i];
            energies.noise += noise * noise;
            if (i + window < moments[m])
                continue;
            energies.lost += lost[i] * lost[i];
            energies.concealed += concealed[i] * concealed[i];
        }
        if (energies.lost > 1e-3) // not a pause of speech
            results[m].push_back(energies);
    }
}

double decibels(double ratio)
{
    return 10 * std::log10(std::max(ratio, 1e-9));
}

/// Means of the levels and of the signal-to-noise ratios, in dB.
std::string describe(const Results &results)
{
    std::string levels;
    std::string ratios;
    for (const auto &at : results) {
        double level = 0;
        double ratio = 0;
        for (const auto &e : at) {
            level += decibels(e.concealed / e.lost);
            ratio += decibels(e.signal / std::max(e.noise, 1e-9));
        }
        const auto count = static_cast<double>(std::max<std::size_t>(at.size(), 1));
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.0f ", std::round(level / count) + 0.0);
        levels += text.data();
        std::snprintf(text.data(), text.size(), "%.1f ", ratio / count);
        ratios += text.data();
    }
    levels.back() = ';';
    ratios.pop_back();
    return levels + " " + ratios;
}

/// Loses each packet in turn and conceals it with the next one of the sequences.
std::string measure(const Signal &signal, const std::vector<Steps> &sequences)
{
    constexpr std::size_t warm_up = 20; // packets
    const auto packets = encode(signal);
    Samples reference(packets.size() * frame_samples);
    Decoder whole;
    for (std::size_t i = 0; i < packets.size(); ++i)
        whole.decode(packets[i], &reference[i * frame_samples]);

    Results results;
    const auto positions = packets.size() - warm_up - 2;
    for (std::size_t i = 0; i < std::max(positions, sequences.size()); ++i) {
        const auto lost = warm_up + i % positions;
        Decoder decoder;
        Samples output(frame_samples);
        for (auto k = lost - warm_up; k < lost; ++k)
            decoder.decode(packets[k], output.data());
        Samples concealed;
        concealed.reserve(lost_samples);
        for (const auto step : sequences[i % sequences.size()]) {
            const auto length = std::min(step, lost_samples - concealed.size());
            concealed.resize(concealed.size() + length);
            decoder.conceal(length, &concealed[concealed.size() - length]);
            if (concealed.size() == lost_samples)
                break;
        }
        compare(std::span(reference).subspan(lost * frame_samples, lost_samples), concealed,
                results);
    }
    return describe(results);
}

/// A first step and further equal ones.
Steps steps_of(std::chrono::microseconds first, std::chrono::microseconds next)
{
    const auto samples = [](std::chrono::microseconds time) {
        return static_cast<std::size_t>(time / 500us) * 24;
    };
    Steps steps{samples(first)};
    for (auto time = first; time < 40ms; time += next)
        steps.push_back(samples(next));
    return steps;
}

/// Returns the steps of each underrun. Concealment before a frame that does not follow the previous
/// one is a pause of the sender.
std::vector<Steps> steps_of_trace(const Trace &trace)
{
    SteadyLoad load;
    Playout playout({}, load);
    const ReplaySettings settings;
    std::vector<Steps> sequences;
    Steps steps;
    nanoseconds media_end{0};
    for (const auto &action : run_playout(trace, playout, settings)) {
        if (const auto *conceal = std::get_if<Playout::Conceal>(&action)) {
            steps.push_back(static_cast<std::size_t>(conceal->duration / 500us) * 24);
        } else if (const auto *play = std::get_if<Playout::Play>(&action)) {
            const bool is_underrun = play->media_time <= media_end + 1ms;
            if (!steps.empty() && is_underrun && trace[play->handle].media >= settings.skip)
                sequences.push_back(steps);
            steps.clear();
            media_end = play->media_time + play->duration;
        }
    }
    return sequences;
}

void print_row(const std::string &name, const std::vector<Signal> &signals,
               const std::vector<Steps> &sequences)
{
    std::printf("| %s |", name.c_str());
    for (const auto &signal : signals)
        std::printf(" %s |", measure(signal, sequences).c_str());
    std::puts("");
}

int run(std::span<char *> traces)
{
    const auto signals = make_signals();
    std::printf("| steps (ms) |");
    for (const auto &signal : signals)
        std::printf(" %s |", signal.name);
    std::puts("");
    const struct {
        const char *name;
        std::chrono::microseconds first;
        std::chrono::microseconds next;
    } rows[] = {{"2.5, 2.5 ...", 2500us, 2500us}, {"5, 5 ...", 5ms, 5ms},
                {"10, 10 ...", 10ms, 10ms},       {"20, 2.5 ...", 20ms, 2500us},
                {"20, 10 ...", 20ms, 10ms},       {"20, 20 ...", 20ms, 20ms}};
    for (const auto &row : rows)
        print_row(row.name, signals, {steps_of(row.first, row.next)});

    std::vector<Steps> sequences;
    for (const char *name : traces) {
        auto trace = read_trace(name);
        if (!trace) {
            std::fprintf(stderr, "concealment: %s: %s\n", trace.error().subject.c_str(),
                         trace.error().detail.c_str());
            return EXIT_FAILURE;
        }
        const auto of_trace = steps_of_trace(*trace);
        sequences.insert(sequences.end(), of_trace.begin(), of_trace.end());
    }
    if (sequences.empty())
        return EXIT_SUCCESS;
    // Losses and sequences are combined at random, the same way in each run.
    std::shuffle(sequences.begin(), sequences.end(), std::mt19937(1));
    print_row("of " + std::to_string(sequences.size()) + " underruns", signals, sequences);
    return EXIT_SUCCESS;
}

} // namespace
} // namespace jkvm::benchmark

int main(int argc, char **argv)
{
    const std::span arguments(argv + 1, static_cast<std::size_t>(argc - 1));
    for (const std::string argument : arguments) {
        if (argument.starts_with("-")) {
            std::fputs(jkvm::benchmark::usage, stderr);
            return argument == "--help" ? EXIT_SUCCESS : 2;
        }
    }
    return jkvm::benchmark::run(arguments);
}
