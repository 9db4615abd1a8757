// SPDX-License-Identifier: LGPL-2.1-or-later
// playback-bench: plays raw audio on the test device through a chain of elements and prints what
// the device has played, as a JSON object:
//
//   playback-bench drift PPM SECONDS SKIP CHAIN   the clock of the device is off by PPM: distortion
//                                                 and playout errors of a tone, after SKIP s
//   playback-bench blocked SECONDS CHAIN          the device is frozen for that long
//   playback-bench replug CHAIN                   the device is removed for 1 s
//   playback-bench missing CHAIN                  the device appears 1 s after the start
//
// CHAIN is a launch line with the placeholder {device}; its sink is called "sink". The pipeline
// runs on the system clock, as with a live source whose clock is not the device's.
#include "benchmarks/pipeline.h"
#include "benchmarks/playback/tone_analysis.h"
#include "support/alsa_device.h"
#include "support/played_audio.h"

#include <gst/app/gstappsrc.h>
#include <gst/base/gstbasesink.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace {

using namespace jkvm::benchmark;
using jkvm::GstRef;
using jkvm::testing::PlayedAudio;
using jkvm::testing::TestPcm;

constexpr int rate = 48000;
constexpr int packet = 960;      // frames
constexpr double latency = 0.1;  // s, of the source
constexpr double ramp_time = 20; // s

/// Rises from -24000 to 24000, so that a sample identifies its position. Not longer than ramp_time.
double ramp_at(double time)
{
    return 48000 * time / ramp_time - 24000;
}

double monotonic_seconds()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void sleep_until(double time)
{
    timespec when{};
    when.tv_sec = static_cast<time_t>(time);
    when.tv_nsec = static_cast<long>(1e9 * (time - std::floor(time)));
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
}

std::string put_device(std::string chain, const std::string &device)
{
    const std::string_view placeholder = "{device}";
    const auto at = chain.find(placeholder);
    return at == std::string::npos ? chain : chain.replace(at, placeholder.size(), device);
}

/// Plays a signal in real time. The pipeline is never stopped, because a sink may block then; the
/// process ends instead.
class Run {
public:
    using Signal = double (*)(double time);

    Run(const std::string &chain, TestPcm &pcm, Signal signal) : signal_(signal)
    {
        pcm.record_playback();
        pipeline_ = new Pipeline( // NOLINT(cppcoreguidelines-owning-memory): never stopped
            "appsrc name=src is-live=true format=time min-latency=" +
            std::to_string(static_cast<guint64>(latency * GST_SECOND)) +
            " caps=audio/x-raw,format=S16LE,rate=48000,channels=2,layout=interleaved ! " +
            put_device(chain, pcm.device()));
        const auto clock = GstRef<GstClock>::adopt(gst_system_clock_obtain());
        gst_pipeline_use_clock(GST_PIPELINE(pipeline_->get()), clock.get());
        source_ = pipeline_->element("src");
        pipeline_->play();
        base_ = static_cast<double>(gst_element_get_base_time(pipeline_->get())) / GST_SECOND;
    }

    /// Plays on until `time` seconds after the start.
    void play_until(double time)
    {
        for (; static_cast<double>(pushed_) < time * rate; pushed_ += packet) {
            sleep_until(base_ + static_cast<double>(pushed_) / rate);
            push();
        }
    }
    /// When sample 0 was captured (s, CLOCK_MONOTONIC).
    [[nodiscard]] double base() const { return base_; }
    /// The pipeline's latency (s).
    [[nodiscard]] double delay() const
    {
        auto *const sink = GST_BASE_SINK(pipeline_->element("sink").get());
        return static_cast<double>(gst_base_sink_get_latency(sink)) / GST_SECOND;
    }

private:
    void push()
    {
        std::vector<std::int16_t> samples;
        samples.reserve(2 * std::size_t{packet});
        for (int i = 0; i < packet; ++i) {
            const auto sample = static_cast<std::int16_t>(
                std::lround(signal_(static_cast<double>(pushed_ + i) / rate)));
            samples.insert(samples.end(), 2, sample);
        }
        auto *const buffer =
            gst_buffer_new_memdup(samples.data(), samples.size() * sizeof samples[0]);
        GST_BUFFER_PTS(buffer) =
            gst_util_uint64_scale(static_cast<guint64>(pushed_), GST_SECOND, rate);
        GST_BUFFER_DURATION(buffer) = gst_util_uint64_scale(packet, GST_SECOND, rate);
        gst_app_src_push_buffer(GST_APP_SRC(source_.get()), buffer); // fails once a sink has failed
    }

    Signal signal_;
    Pipeline *pipeline_ = nullptr;
    GstRef<GstElement> source_;
    double base_ = 0;
    std::int64_t pushed_ = 0; // frames
};

using Figures = std::map<std::string, double>;

double seconds_at(const PlayedAudio &played, double frame)
{
    return 1e-9 * static_cast<double>(played.time_of(frame).count());
}

/// Describes the first audio after `event` (s): when it was played, and its age beyond the latency.
/// Empty if there is none.
Figures find_first_audio(const TestPcm &pcm, const Run &run, double event)
{
    constexpr std::size_t settled = 64; // frames: more than a resampler's transition
    constexpr double audible = 400;     // the ramp passes 0 once, long after the events
    const PlayedAudio played(pcm);
    const auto samples = played.channel();
    std::size_t audible_frames = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double time = seconds_at(played, static_cast<double>(i));
        audible_frames = time < event || std::abs(samples[i]) < audible ? 0 : audible_frames + 1;
        if (audible_frames <= settled)
            continue;
        const double captured = run.base() + (samples[i] + 24000) / 48000 * ramp_time;
        const double before = static_cast<double>(settled) / rate;
        return {{"first_audio_ms", 1000 * (time - before - event)},
                {"late_ms", 1000 * (time - captured - run.delay())}};
    }
    return {};
}

Figures measure_drift(const std::string &chain, const std::string &ppm, double seconds, double skip)
{
    TestPcm pcm({.format = "S16_LE"});
    pcm.set_at_open("ppm " + ppm + "\ngranularity 48"); // USB packets
    Run run(chain, pcm, tone_at);
    run.play_until(seconds);
    const PlayedAudio played(pcm);
    const auto samples = played.channel();
    const auto frame_at = [&](double time) { // since the start of the run
        std::size_t frame = 0;
        while (frame < samples.size() &&
               seconds_at(played, static_cast<double>(frame)) < run.base() + time)
            ++frame;
        return frame;
    };
    const auto begin = frame_at(run.delay() + skip);
    const auto end = frame_at(seconds); // silence follows later
    const auto figures =
        analyse_tone(std::span(samples).subspan(begin, end - begin), [&](double frame) {
            // Relative to the start of the run: an angle must not lose precision.
            return seconds_at(played, static_cast<double>(begin) + frame) - run.base();
        });
    return {{"thd_n_db", figures.thd_n},
            {"span_ms", 1000 * figures.span},
            {"jumps", static_cast<double>(figures.jumps)}};
}

/// Plays 1 s, causes a fault, ends it after `duration` s, and plays on for 1 s.
Figures measure_fault(const std::string &chain, double duration, void (*begin)(TestPcm &),
                      void (*end)(TestPcm &))
{
    TestPcm pcm({.format = "S16_LE"});
    Run run(chain, pcm, ramp_at);
    run.play_until(1);
    begin(pcm);
    run.play_until(1 + duration);
    const double event = monotonic_seconds();
    end(pcm);
    run.play_until(2 + duration);
    return find_first_audio(pcm, run, event);
}

Figures measure_blocked(const std::string &chain, double duration)
{
    return measure_fault(
        chain, duration, [](TestPcm &pcm) { pcm.send("freeze 3600000"); },
        [](TestPcm &pcm) { pcm.send("freeze 0"); });
}

Figures measure_replug(const std::string &chain)
{
    return measure_fault(
        chain, 1, [](TestPcm &pcm) { pcm.send("unplug"); },
        [](TestPcm &pcm) { pcm.clear_open_errno(); });
}

Figures measure_missing(const std::string &chain)
{
    TestPcm pcm({.format = "S16_LE"});
    pcm.set_open_errno("ENOENT");
    try {
        Run run(chain, pcm, ramp_at);
        run.play_until(1);
        const double event = monotonic_seconds();
        pcm.clear_open_errno();
        run.play_until(2);
        return find_first_audio(pcm, run, event);
    } catch (const std::runtime_error &) { // the pipeline does not start
        return {};
    }
}

std::optional<Figures> measure(const std::vector<std::string> &arguments)
{
    const auto is = [&](const char *scenario, std::size_t count) {
        return arguments.size() == count && arguments[0] == scenario;
    };
    if (is("drift", 5))
        return measure_drift(arguments[4], arguments[1], std::stod(arguments[2]),
                             std::stod(arguments[3]));
    if (is("blocked", 3))
        return measure_blocked(arguments[2], std::stod(arguments[1]));
    if (is("replug", 2))
        return measure_replug(arguments[1]);
    if (is("missing", 2))
        return measure_missing(arguments[1]);
    return std::nullopt;
}

} // namespace

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    try {
        const auto figures = measure({argv + 1, argv + argc});
        if (!figures) {
            std::fputs("usage: playback-bench drift PPM SECONDS SKIP CHAIN\n"
                       "       playback-bench blocked SECONDS CHAIN\n"
                       "       playback-bench {replug|missing} CHAIN\n",
                       stderr);
            return 2;
        }
        std::string text;
        for (const auto &[name, value] : *figures)
            text += (text.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(value);
        std::printf("{%s}\n", text.c_str());
    } catch (const std::exception &error) {
        std::fprintf(stderr, "playback-bench: %s\n", error.what());
        return EXIT_FAILURE;
    }
    std::fflush(stdout);
    std::_Exit(EXIT_SUCCESS); // without stopping the pipeline
}
