// SPDX-License-Identifier: LGPL-2.1-or-later
// path-bench: measures the latency from capture to decoder output in another process. Prints a JSON
// object.
//
// The test device plays a known signal in real time and reports its start, so the capture time of
// each sample is known. Correlation finds the position of the decoded samples in the signal. The
// latency of a buffer is that of its first sample, the oldest one.
#include "alsa/signal.h"
#include "benchmarks/ipc/exchange.h"
#include "benchmarks/pipeline.h"
#include "support/alsa_device.h"
#include "support/correlation.h"
#include "support/temporary_directory.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

using namespace jkvm::benchmark;

constexpr std::size_t rate = 48000;
constexpr std::size_t channels = 2;
constexpr std::size_t settling = rate / 2; // samples ignored at the start
constexpr std::size_t window = rate;       // samples that are correlated with the signal

struct Options {
    std::string path;     // jkvm or stock
    std::string frame_ms; // value of the encoders' frame-size
    std::string alsa;     // properties of alsasrc
    std::string audio;    // WAV file, 48 kHz, stereo
    double seconds = 3;   // duration of the measurement
};

std::optional<Options> parse(int argc, char **argv)
{
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--path")
            options.path = argv[i + 1];
        else if (name == "--frame-ms")
            options.frame_ms = argv[i + 1];
        else if (name == "--alsasrc")
            options.alsa = argv[i + 1];
        else if (name == "--audio")
            options.audio = argv[i + 1];
        else if (name == "--seconds")
            options.seconds = std::strtod(argv[i + 1], nullptr);
        else
            return std::nullopt;
    }
    const bool is_complete = argc % 2 == 1 && !options.frame_ms.empty() && !options.audio.empty();
    const bool is_known = options.path == "jkvm" || options.path == "stock";
    return is_complete && is_known && options.seconds > 0 ? std::optional(options) : std::nullopt;
}

std::string sending_line(const Options &options, const std::string &device,
                         const std::string &directory)
{
    const auto codec = " bitrate=96000 complexity=5 audio-type=generic "
                       "bitrate-type=constrained-vbr frame-size=" +
                       options.frame_ms;
    if (options.path == "jkvm")
        return "jkvmaudiosrc device=" + device + codec + " ! jkvmipcsink socket-path=" + directory +
               "/socket";
    return "alsasrc device=" + device + " " + options.alsa +
           " ! audioconvert ! audioresample ! opusenc" + codec +
           " ! gdppay ! tcpserversink name=server host=127.0.0.1 port=0 sync=false async=false";
}

std::string receiving_line(const Options &options, const std::string &directory, unsigned port)
{
    const std::string source =
        options.path == "jkvm"
            ? "jkvmipcsrc socket-path=" + directory + "/socket"
            : "tcpclientsrc host=127.0.0.1 port=" + std::to_string(port) + " ! gdpdepay";
    return source + " ! opusdec plc=true ! audio/x-raw,format=S16LE,rate=48000,channels=2 ! "
                    "fakesink name=sink sync=false async=false";
}

/// Runs the sender until the process is killed.
[[noreturn]] void send(const std::string &line, Exchange &exchange)
{
    gst_init(nullptr, nullptr);
    const Pipeline pipeline(line);
    pipeline.play();
    if (const auto server = pipeline.element("server")) {
        gint port = 0;
        g_object_get(server.get(), "current-port", &port, nullptr);
        exchange.ports[0] = static_cast<unsigned>(port);
    }
    exchange.is_serving = true;
    for (;;)
        ::pause();
}

/// The decoder's output. Filled by the streaming thread up to the requested size.
struct Recording {
    struct Part {
        std::size_t first;       // sample
        std::int64_t arrived_ns; // CLOCK_MONOTONIC
    };
    std::size_t wanted;
    std::vector<float> samples; // of the left channel
    std::vector<Part> parts;
    std::atomic<bool> is_complete{false};

    explicit Recording(std::size_t count) : wanted(count)
    {
        samples.reserve(count + rate);
        parts.reserve(count);
    }

    void append(GstBuffer *buffer)
    {
        if (is_complete)
            return;
        parts.push_back({samples.size(), now_ns()});
        GstMapInfo map;
        if (gst_buffer_map(buffer, &map, GST_MAP_READ) == 0)
            std::abort();
        const std::span values(reinterpret_cast<const std::int16_t *>(map.data), map.size / 2);
        for (std::size_t i = 0; i < values.size(); i += channels)
            samples.push_back(values[i]);
        gst_buffer_unmap(buffer, &map);
        is_complete = samples.size() >= wanted;
    }
};

/// Returns the position of the recording's sample `first` in the endlessly repeated signal.
std::size_t find_position(const Recording &recording, std::size_t first,
                          const std::vector<float> &signal)
{
    const auto match =
        jkvm::testing::find_in_loop(std::span(recording.samples).subspan(first, window), signal);
    if (match.correlation < 0.8)
        throw std::runtime_error("the recording does not match the signal: correlation " +
                                 std::to_string(match.correlation));
    return match.lag;
}

/// Returns the latencies of the buffers after `settling`, sorted (ns).
std::vector<double> latencies(const Recording &recording, const std::vector<float> &signal,
                              std::int64_t began_ns)
{
    const auto begin = find_position(recording, settling, signal);
    const auto last = recording.samples.size() - window;
    if (find_position(recording, last, signal) != (begin + last - settling) % signal.size())
        throw std::runtime_error("samples are missing in the recording");
    constexpr double ns_per_sample = 1e9 / rate;
    const double loop_ns = ns_per_sample * static_cast<double>(signal.size());
    std::vector<double> result;
    for (const auto &part : recording.parts) {
        if (part.first < settling)
            continue;
        const auto position = static_cast<double>(begin + part.first - settling);
        const auto age = static_cast<double>(part.arrived_ns - began_ns) - ns_per_sample * position;
        result.push_back(age - loop_ns * std::floor(age / loop_ns));
    }
    std::ranges::sort(result);
    return result;
}

std::vector<float> left_channel(const jkvm::testing::Wave &wave)
{
    if (wave.rate != rate || wave.channels != channels)
        throw std::runtime_error("the WAV file must be stereo, 48 kHz");
    std::vector<float> result;
    for (std::size_t i = 0; i < wave.samples.size(); i += channels)
        result.push_back(wave.samples[i]);
    return result;
}

void measure(const Options &options, const std::string &directory, Exchange &exchange,
             const jkvm::testing::TestPcm &device)
{
    if (!exchange.wait_until([&] { return exchange.is_serving.load(); }))
        throw std::runtime_error("the sender did not start");
    gst_init(nullptr, nullptr);
    const auto signal = left_channel(jkvm::testing::load_wave(options.audio));
    const auto length = static_cast<std::size_t>(options.seconds * rate);
    Recording recording(settling + std::max(length, window));
    {
        const Pipeline pipeline(receiving_line(options, directory, exchange.ports[0]));
        pipeline.watch(
            "sink", "sink",
            [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
                static_cast<Recording *>(self)->append(GST_PAD_PROBE_INFO_BUFFER(info));
                return GST_PAD_PROBE_OK;
            },
            &recording);
        pipeline.play();
        if (!exchange.wait_until([&] { return recording.is_complete.load(); }))
            throw std::runtime_error("the recording is too short");
    }
    std::int64_t began_ns = 0;
    std::ifstream(device.directory() + "/continue") >> began_ns;
    const auto all = latencies(recording, signal, began_ns);
    const auto quantile = [&](std::size_t percent) {
        return all[all.size() * percent / 100] / 1e6;
    };
    std::printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"buffers\": %zu}\n", quantile(50),
                quantile(99), all.size());
}

} // namespace

int main(int argc, char **argv)
{
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs("usage: path-bench --path jkvm|stock --frame-ms 20 --audio WAV [--seconds 3]\n"
                   "                  [--alsasrc PROPERTIES]\n",
                   stderr);
        return 2;
    }
    try {
        const jkvm::testing::TemporaryDirectory directory;
        jkvm::testing::TestPcm device({.file = options->audio});
        device.continue_content();
        const auto exchange = Exchange::make();
        const auto line = sending_line(*options, device.device(), directory.path());
        const auto sender = ::fork(); // before any thread exists
        if (sender == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            try {
                send(line, *exchange);
            } catch (const std::exception &error) {
                exchange->has_failed = true;
                std::fprintf(stderr, "path-bench: %s\n", error.what());
            }
            ::_exit(EXIT_FAILURE);
        }
        measure(*options, directory.path(), *exchange, device);
        ::kill(sender, SIGKILL);
        ::waitpid(sender, nullptr, 0);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "path-bench: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
