// SPDX-License-Identifier: LGPL-2.1-or-later
// Soak test: two processes, a device whose clock is 500 ppm fast, bursts of CPU load, and stalls of
// the receiver. Each frame is received or counted as lost, and the decoded audio agrees with the
// statistics.
//
// JKVM_SOAK_SECONDS is the duration of the audio, 20 s by default.
#include "support/alsa_device.h"
#include "support/child_process.h"
#include "support/chirp.h"
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto frame = 20ms;
constexpr auto load_interval = 10s;
constexpr auto load_duration = 1s;
constexpr auto stall_interval = 8s;
constexpr auto stall_duration = 1s;
constexpr auto queue_time = 500ms; // max-queue-time of the sender; shorter than a stall
constexpr auto end_timeout = 60s;

/// Results of the processes, in shared memory.
struct Results {
    std::atomic<bool> is_serving{false};
    std::atomic<bool> is_connected{false};
    std::atomic<bool> is_sent{false}; ///< the fields of the sender are final

    struct {
        std::atomic<guint64> overruns, silent, sent, dropped, unheard;
    } sender;
    struct {
        std::atomic<guint64> received, dropped, lost; // jkvmipcsrc
        std::atomic<guint64> queued, played, queue_dropped;
        std::atomic<guint64> concealed, inserted, paused, underruns; // ns, ns, ns, count
    } receiver;
    struct {
        std::atomic<std::int64_t> played, missing, repeated, stale, concealed; // samples
        std::atomic<std::size_t> events;
    } account;

    struct Unmap {
        void operator()(Results *results) const { ::munmap(results, sizeof(Results)); }
    };
    static std::unique_ptr<Results, Unmap> make()
    {
        void *memory = ::mmap(nullptr, sizeof(Results), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            throw std::bad_alloc();
        return std::unique_ptr<Results, Unmap>(new (memory) Results{});
    }
};

std::chrono::seconds duration_of_test()
{
    const char *seconds = std::getenv("JKVM_SOAK_SECONDS"); // NOLINT(concurrency-mt-unsafe)
    return std::chrono::seconds(seconds != nullptr ? std::strtol(seconds, nullptr, 10) : 20);
}

/// Polls the condition until it is true. Returns false after the timeout.
template <typename Condition>
bool wait_until(const Condition &condition, std::chrono::milliseconds timeout)
{
    const auto deadline = Clock::now() + timeout;
    while (!condition()) {
        if (Clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

/// Runs the sending process. Returns its exit status.
int send(Results &results, const std::string &device, const std::string &path, long frames)
{
    gst_init(nullptr, nullptr);
    Pipeline pipeline(
        "jkvmaudiosrc name=capture bitrate=128000 num-buffers=" + std::to_string(frames) +
        " device=" + device + " ! jkvmipcsink name=ipc max-queue-time=" +
        std::to_string(queue_time.count()) + " socket-path=" + path);
    pipeline.set_state(GST_STATE_PAUSED); // listens; capturing starts in PLAYING
    results.is_serving = true;
    if (!wait_until([&] { return results.is_connected.load(); }, end_timeout))
        return 1;
    pipeline.play();
    // Waits for EOS or an error, with a generous time-out.
    const auto bus = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline.get()));
    const auto message = GstRef<GstMessage>::adopt(gst_bus_timed_pop_filtered(
        bus.get(), (static_cast<GstClockTime>(frames) * 20 + 120'000) * GST_MSECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_EOS)
        return 2;
    auto *capture = pipeline.element("capture");
    auto *ipc = pipeline.element("ipc");
    auto &counts = results.sender;
    // The connection stays open until the receiver has read everything.
    const bool is_read = wait_until(
        [&] {
            counts.sent = stat(ipc, "frames");
            counts.dropped = stat(ipc, "dropped");
            counts.unheard = stat(ipc, "unheard");
            return results.receiver.received + counts.dropped + counts.unheard >= counts.sent;
        },
        end_timeout);
    counts.overruns = stat(capture, "overruns");
    counts.silent = stat(capture, "silent-frames");
    results.is_sent = true;
    return is_read ? 0 : 3;
}

void read_statistics(Results &results, Pipeline &pipeline)
{
    auto &counts = results.receiver;
    auto *ipc = pipeline.element("ipc");
    auto *queue = pipeline.element("queue");
    counts.lost = stat(ipc, "lost");
    counts.dropped = stat(ipc, "dropped");
    counts.received = stat(ipc, "frames");
    counts.queued = stat(queue, "frames");
    counts.played = stat(queue, "played");
    counts.queue_dropped = stat(queue, "dropped");
    counts.concealed = stat(queue, "concealed");
    counts.inserted = stat(queue, "inserted");
    counts.paused = stat(queue, "paused");
    counts.underruns = stat(queue, "underruns");
}

/// Runs the receiving process: records until the sender has finished, and analyses.
int receive(Results &results, const std::string &path)
{
    if (!wait_until([&] { return results.is_serving.load(); }, end_timeout))
        return 1;
    gst_init(nullptr, nullptr);
    Pipeline pipeline("jkvmipcsrc name=ipc socket-path=" + path +
                      " ! jkvmadaptivequeue name=queue ! opusdec plc=true ! audioconvert ! "
                      "audio/x-raw,format=S16LE,channels=1 ! appsink name=sink sync=false");
    pipeline.play();
    if (!pipeline.wait_for_element_message("jkvm-link", "connected"))
        return 2;
    results.is_connected = true;
    std::vector<std::int16_t> samples;
    auto *sink = GST_APP_SINK(pipeline.element("sink"));
    bool is_ending = false;
    while (!gst_app_sink_is_eos(sink)) {
        if (results.is_sent && !std::exchange(is_ending, true))
            gst_element_send_event(pipeline.get(), gst_event_new_eos());
        const auto sample =
            GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, 100 * GST_MSECOND));
        read_statistics(results, pipeline);
        if (!sample)
            continue;
        auto *buffer = gst_sample_get_buffer(sample.get());
        const auto size = gst_buffer_get_size(buffer);
        samples.resize(samples.size() + size / 2);
        gst_buffer_extract(buffer, 0, samples.data() + samples.size() - size / 2, size);
    }
    const auto account = analyse_chirp(samples, 1, opus_tolerance(frame));
    std::cout << account << std::endl;
    results.account.played = account.played.count();
    results.account.missing = account.missing.count();
    results.account.repeated = account.repeated.count();
    results.account.stale = account.stale.count();
    results.account.concealed = account.concealed.count();
    results.account.events = account.events.size();
    return 0;
}

/// Keeps all processors busy for one second in each interval.
[[noreturn]] void load()
{
    for (;;) {
        std::this_thread::sleep_for(load_interval - load_duration);
        const auto end = Clock::now() + load_duration;
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < 4 * std::thread::hardware_concurrency(); ++i)
            threads.emplace_back([end] {
                while (Clock::now() < end) {
                }
            });
    }
}

/// Stops the process for `stall_duration` in each interval. The last seconds have no stalls,
/// because the analysis cannot see frames that are missing at the end of a recording.
void stall(const ChildProcess &process, const Results &results, std::chrono::seconds duration)
{
    while (!results.is_connected && !results.is_sent)
        std::this_thread::sleep_for(10ms);
    const auto end = Clock::now() + duration - 3s;
    auto next = Clock::now() + stall_interval;
    while (!results.is_sent && Clock::now() < end) {
        std::this_thread::sleep_for(10ms);
        if (Clock::now() < next)
            continue;
        ::kill(process.pid(), SIGSTOP);
        std::this_thread::sleep_for(stall_duration); // the fault itself
        ::kill(process.pid(), SIGCONT);
        next = Clock::now() + stall_interval;
    }
}

TEST(Soak, EachFrameIsReceivedOrCountedAsLost)
{
    const auto seconds = duration_of_test();
    const auto frames = seconds / frame;
    const TemporaryDirectory directory;
    write_chirp(directory.file("chirp.wav"), 2);
    TestPcm pcm({.file = directory.file("chirp.wav")});
    pcm.set_at_open("ppm 500");
    const auto path = directory.file("a.sock");
    const auto results = Results::make();

    ChildProcess busy([] {
        load();
        return 0;
    });
    ChildProcess sender([&] { return send(*results, pcm.device(), path, frames); });
    ChildProcess receiver([&] { return receive(*results, path); });
    std::jthread faults([&] { stall(receiver, *results, seconds); });
    EXPECT_EQ(sender.wait(), 0);
    results->is_sent = true; // even if the sender failed
    faults.join();
    EXPECT_EQ(receiver.wait(), 0);

    const auto &sent = results->sender;
    const auto &received = results->receiver;
    const auto &account = results->account;
    const auto ms = [](guint64 nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; };
    std::cout << "sent " << sent.sent << ", dropped by the sender " << sent.dropped << ", received "
              << received.received << ", lost " << received.lost << ", dropped by jkvmipcsrc "
              << received.dropped << ", queued " << received.queued << ", played "
              << received.played << ", dropped by the queue " << received.queue_dropped
              << ", underruns " << received.underruns << ", concealed " << ms(received.concealed)
              << " ms, inserted " << ms(received.inserted) << " ms, paused " << ms(received.paused)
              << " ms" << std::endl;

    EXPECT_EQ(sent.overruns, 0u);
    EXPECT_EQ(sent.silent, 0u);
    EXPECT_EQ(sent.sent, static_cast<guint64>(frames));
    // A machine that is too busy may disconnect a client that does not read for 2 s.
    const auto lost = sent.dropped + sent.unheard;
    EXPECT_EQ(sent.sent, received.received + lost);
    EXPECT_GT(sent.dropped, 0u) << "the stalls lost no frame";
    EXPECT_EQ(received.lost, lost);
    EXPECT_EQ(received.received, received.queued + received.dropped);
    EXPECT_EQ(received.queued, received.played + received.queue_dropped);
    const auto missing = lost + received.dropped + received.queue_dropped;
    EXPECT_EQ(Samples(account.missing), frame * static_cast<std::int64_t>(missing));
    // The decoder conceals at most 120 ms at a time.
    const auto concealed =
        std::chrono::nanoseconds(received.concealed + received.inserted + received.paused);
    EXPECT_LE(Samples(account.concealed), concealed + 5ms * account.events.load());
    // The decoder outputs only frames and concealment. The start and the end of the recording are
    // not recognised.
    EXPECT_NEAR(Samples(account.played) / 1ms, static_cast<double>(received.played * 20), 10);
    EXPECT_EQ(account.repeated, 0);
    EXPECT_EQ(account.stale, 0);
}

} // namespace
} // namespace jkvm::testing
