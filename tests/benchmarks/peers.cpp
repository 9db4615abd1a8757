// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/peers.h"

#include "common/gst_ref.h"

#include <gst/check/gstharness.h>

#include <memory>

namespace jkvm::benchmark {

namespace {

using namespace std::chrono_literals;

using Harness = std::unique_ptr<GstHarness, void (*)(GstHarness *)>;

Harness make_harness(const char *element, const char *caps)
{
    Harness harness(gst_harness_new(element), gst_harness_teardown);
    gst_harness_set_src_caps_str(harness.get(), caps);
    return harness;
}

// --- rtpjitterbuffer ---

constexpr unsigned clock_rate = 48000;

// Returns an RTP packet without payload. Its sequence number is the frame's index in the trace.
GstBuffer *make_packet(const TracedFrame &frame, std::size_t index)
{
    const auto timestamp =
        static_cast<guint32>(frame.media.count() / 1000 * clock_rate / 1'000'000);
    guint8 header[12] = {0x80, 96};
    GST_WRITE_UINT16_BE(header + 2, static_cast<guint16>(index));
    GST_WRITE_UINT32_BE(header + 4, timestamp);
    auto *const buffer = gst_buffer_new_memdup(header, sizeof header);
    GST_BUFFER_DTS(buffer) = GST_BUFFER_PTS(buffer) =
        static_cast<GstClockTime>(frame.arrival.count());
    return buffer;
}

// Returns the timestamps that the element assigns to the frames.
std::vector<nanoseconds> rtpjitterbuffer_timestamps(const Trace &trace, nanoseconds latency)
{
    const auto harness =
        make_harness("rtpjitterbuffer", "application/x-rtp,media=audio,clock-rate=48000,"
                                        "encoding-name=OPUS,payload=96");
    auto *const h = harness.get();
    g_object_set(h->element, "latency", static_cast<guint>(latency / 1ms), nullptr);
    std::vector<nanoseconds> result;
    result.reserve(trace.size());
    auto clock_time = 0ns;
    for (std::size_t i = 0; i < trace.size(); ++i) {
        if (trace[i].arrival > clock_time) {
            clock_time = trace[i].arrival;
            gst_harness_set_time(h, static_cast<GstClockTime>(clock_time.count()));
        }
        gst_harness_push(h, make_packet(trace[i], i));
        if (i == 0) { // held for the latency, because an earlier packet might follow
            gst_harness_crank_single_clock_wait(h);
            clock_time += latency;
        }
        // The element pushes from its own thread.
        const auto buffer = GstRef<GstBuffer>::adopt(gst_harness_pull(h));
        if (!buffer)
            break;
        result.emplace_back(static_cast<std::int64_t>(GST_BUFFER_PTS(buffer.get())));
    }
    return result;
}

std::vector<Playout::Action> play_through_rtpjitterbuffer(const Trace &trace, nanoseconds latency,
                                                          nanoseconds duration)
{
    const auto timestamps = rtpjitterbuffer_timestamps(trace, latency);
    std::vector<Playout::Action> outputs;
    std::optional<nanoseconds> position; // end of the audio played so far
    for (std::size_t i = 0; i < timestamps.size(); ++i) {
        const auto time = timestamps[i] + latency;
        if (!position)
            position = time;
        const bool overlaps = time < *position - duration / 2;
        if (trace[i].arrival > time || overlaps) {
            outputs.emplace_back(Playout::Drop{i, Playout::DropReason::late, false});
            continue; // the next frame that plays accounts for the gap
        }
        if (time > *position + duration / 2)
            outputs.emplace_back(
                Playout::Conceal{*position, time - *position, Playout::ConcealReason::underrun});
        outputs.emplace_back(
            Playout::Play{i, time, duration, trace[i].media, duration, trace[i].arrival, i == 0});
        position = time + duration;
    }
    return outputs;
}

// --- queue ---

class QueuedPlayback {
public:
    QueuedPlayback(const Trace &trace, nanoseconds latency, nanoseconds duration)
        : trace_(trace), duration_(duration), slot_(trace.front().arrival + latency),
          harness_(make_harness("queue", "audio/x-opus"))
    {
        gst_util_set_object_arg(G_OBJECT(harness_->element), "leaky", "downstream");
        // The queue's thread blocks while it pushes a buffer, until the device takes it.
        gst_harness_set_blocking_push_mode(harness_.get());
    }

    std::vector<Playout::Action> run()
    {
        for (; arrived_ < trace_.size(); ++arrived_) {
            const auto arrival = trace_[arrived_].arrival;
            while (taken_ < arrived_ && slot_ < arrival)
                play_next();
            if (slot_ < arrival) {
                outputs_.emplace_back(
                    Playout::Conceal{slot_, arrival - slot_, Playout::ConcealReason::underrun});
                slot_ = arrival;
            }
            push();
        }
        while (taken_ < arrived_)
            play_next();
        return std::move(outputs_);
    }

private:
    void push()
    {
        auto *const buffer = gst_buffer_new();
        GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(trace_[arrived_].media.count());
        GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(duration_.count());
        GST_BUFFER_OFFSET(buffer) = arrived_;
        gst_harness_push(harness_.get(), buffer);
        await_pending_push(); // otherwise the free space would depend on the thread's timing
    }

    void play_next()
    {
        const auto buffer = GstRef<GstBuffer>::adopt(gst_harness_pull(harness_.get()));
        // The queue drops the oldest frames, so all missing ones precede this one.
        for (; taken_ < GST_BUFFER_OFFSET(buffer.get()); ++taken_)
            outputs_.emplace_back(Playout::Drop{taken_, Playout::DropReason::late, false});
        outputs_.emplace_back(Playout::Play{taken_, slot_, duration_, trace_[taken_].media,
                                            duration_, trace_[taken_].arrival, outputs_.empty()});
        ++taken_;
        slot_ += duration_;
        if (taken_ < arrived_)
            await_pending_push();
    }

    /// Waits until the queue's thread blocks in a push.
    void await_pending_push()
    {
        while (gst_harness_buffers_in_queue(harness_.get()) == 0)
            g_thread_yield();
    }

    const Trace &trace_;
    const nanoseconds duration_;
    nanoseconds slot_;        // time at which the device takes the next frame
    std::size_t arrived_ = 0; // frames that have arrived
    std::size_t taken_ = 0;   // frames that were played or dropped
    Harness harness_;
    std::vector<Playout::Action> outputs_;
};

} // namespace

std::optional<Peer> peer_of_name(std::string_view name)
{
    if (name == "rtpjitterbuffer")
        return Peer::rtpjitterbuffer;
    if (name == "queue")
        return Peer::queue;
    return std::nullopt;
}

std::vector<Playout::Action> play_through(Peer peer, const Trace &trace, nanoseconds latency,
                                          nanoseconds frame_duration)
{
    return peer == Peer::queue ? QueuedPlayback(trace, latency, frame_duration).run()
                               : play_through_rtpjitterbuffer(trace, latency, frame_duration);
}

} // namespace jkvm::benchmark
