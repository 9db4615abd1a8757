// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures the CPU time of a queue element per buffer:
//
//   queue-cost SETTLE FRAMES {opus|rtp} ELEMENT
//
// Opus packets of 20 ms arrive in real time. Prints JSON with the CPU time per packet in
// nanoseconds: the time that the upstream thread spends in gst_pad_push(), and that of all other
// threads.
#include "common/gst_ref.h"

#include <gst/gst.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

using jkvm::GstRef;
using std::chrono::nanoseconds;

constexpr GstClockTime frame_time = 20 * GST_MSECOND;
constexpr std::size_t payload_size = 240;
constexpr std::size_t rtp_header_size = 12;
constexpr guint8 celt_stereo = 0xFC; // TOC byte: CELT, fullband, stereo, 20 ms

const char *const opus_caps = "audio/x-opus,rate=48000,channels=2,channel-mapping-family=0";
const char *const rtp_caps =
    "application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS,payload=96";

nanoseconds read_clock(clockid_t clock)
{
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

/// Runs the element between a pad that pushes packets and one that drops them, on the system clock.
class QueueRun {
public:
    QueueRun(const char *element, bool is_rtp) : is_rtp_(is_rtp)
    {
        queue_ = GstRef<GstElement>::adopt(
            GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(element, nullptr))));
        const auto clock = GstRef<GstClock>::adopt(gst_system_clock_obtain());
        start_ = gst_clock_get_time(clock.get());
        gst_element_set_clock(queue_.get(), clock.get());
        gst_element_set_base_time(queue_.get(), start_);
        gst_pad_set_element_private(end_, this);
        gst_pad_set_chain_function(end_, [](GstPad *pad, GstObject *, GstBuffer *buffer) {
            ++static_cast<QueueRun *>(gst_pad_get_element_private(pad))->passed_;
            gst_buffer_unref(buffer);
            return GST_FLOW_OK;
        });
        const auto in = GstRef<GstPad>::adopt(gst_element_get_static_pad(queue_.get(), "sink"));
        const auto out = GstRef<GstPad>::adopt(gst_element_get_static_pad(queue_.get(), "src"));
        gst_pad_link(begin_, in.get());
        gst_pad_link(out.get(), end_);
        gst_pad_set_active(begin_, TRUE);
        gst_pad_set_active(end_, TRUE);
        gst_element_set_state(queue_.get(), GST_STATE_PLAYING);
        send_events();
    }

    void push(int packets)
    {
        for (; packets > 0; --packets) {
            auto *const packet = make_packet();
            sleep_until(start_ + ++pushed_ * frame_time); // when the frame is complete
            const auto before = read_clock(CLOCK_THREAD_CPUTIME_ID);
            gst_pad_push(begin_, packet);
            pushing_ += read_clock(CLOCK_THREAD_CPUTIME_ID) - before;
        }
    }

    /// CPU time of the queue so far.
    [[nodiscard]] nanoseconds cost() const
    {
        return read_clock(CLOCK_PROCESS_CPUTIME_ID) - read_clock(CLOCK_THREAD_CPUTIME_ID) +
               pushing_;
    }
    [[nodiscard]] int passed() const { return passed_; }

private:
    void send_events()
    {
        gst_pad_push_event(begin_, gst_event_new_stream_start("stream"));
        const auto caps =
            GstRef<GstCaps>::adopt(gst_caps_from_string(is_rtp_ ? rtp_caps : opus_caps));
        gst_pad_push_event(begin_, gst_event_new_caps(caps.get()));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_pad_push_event(begin_, gst_event_new_segment(&segment));
    }

    [[nodiscard]] GstBuffer *make_packet() const
    {
        std::array<guint8, rtp_header_size + payload_size> packet{0x80, 96};
        GST_WRITE_UINT16_BE(packet.data() + 2, static_cast<guint16>(pushed_));
        GST_WRITE_UINT32_BE(packet.data() + 4, static_cast<guint32>(pushed_ * 960));
        packet[rtp_header_size] = celt_stereo;
        const auto skipped = is_rtp_ ? 0 : rtp_header_size;
        auto *const buffer =
            gst_buffer_new_memdup(packet.data() + skipped, packet.size() - skipped);
        GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = pushed_ * frame_time;
        GST_BUFFER_DURATION(buffer) = frame_time;
        return buffer;
    }

    static void sleep_until(GstClockTime time)
    {
        timespec when{};
        GST_TIME_TO_TIMESPEC(time, when);
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
    }

    const bool is_rtp_;
    GstRef<GstElement> queue_;
    GstPad *const begin_ = gst_pad_new("begin", GST_PAD_SRC); // never freed
    GstPad *const end_ = gst_pad_new("end", GST_PAD_SINK);
    GstClockTime start_ = 0;
    guint64 pushed_ = 0;
    nanoseconds pushing_{0};
    std::atomic<int> passed_{0};
};

} // namespace

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    if (argc != 5) {
        std::fputs("usage: queue-cost SETTLE FRAMES {opus|rtp} ELEMENT\n", stderr);
        return 2;
    }
    const int settle = std::atoi(argv[1]);
    const int frames = std::atoi(argv[2]);
    static QueueRun run(argv[4], std::strcmp(argv[3], "rtp") == 0);
    run.push(settle);
    const auto before = run.cost();
    const auto passed_before = run.passed();
    run.push(frames);
    const auto cost = run.cost() - before;
    const auto passed = run.passed() - passed_before;
    // The number of queued packets may differ slightly between the start and the end.
    const bool is_plausible = passed * 10 > frames * 9;
    if (is_plausible)
        std::printf("{\"ns\": %f}\n", static_cast<double>(cost.count()) / passed);
    else
        std::fprintf(stderr, "queue-cost: only %d of %d packets passed the queue\n", passed,
                     frames);
    std::fflush(stdout);
    std::_Exit(is_plausible ? 0 : 1); // the costs of stopping the element must not count
}
