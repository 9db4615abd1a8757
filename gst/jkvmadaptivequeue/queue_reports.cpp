// SPDX-License-Identifier: LGPL-2.1-or-later
#include "queue_reports.h"

#include "common/fields.h"
#include "queue_stats.h"

#include <array>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace jkvm {

using namespace std::chrono_literals;

namespace {

const char *name_of(Playout::ConcealReason reason)
{
    return std::array{"underrun", "insert", "pause"}.at(static_cast<std::size_t>(reason));
}

const char *name_of(Playout::DropReason reason)
{
    return std::array{"late", "shrink", "max-delay"}.at(static_cast<std::size_t>(reason));
}

} // namespace

void log_losses(GstElement *element, std::size_t overflow,
                const std::optional<LossReport::Losses> &losses)
{
    if (overflow > 0)
        GST_DEBUG_OBJECT(element, "dropped %" G_GSIZE_FORMAT " oldest frames: the queue is full",
                         overflow);
    if (losses)
        GST_WARNING_OBJECT(element,
                           "%" G_GUINT64_FORMAT " frames arrived late; dropped %" G_GUINT64_FORMAT
                           " after an underrun, %" G_GUINT64_FORMAT " above max-delay, "
                           "%" G_GUINT64_FORMAT " because the queue was full",
                           guint64{losses->late}, guint64{losses->skipped}, guint64{losses->excess},
                           guint64{losses->overflow});
}

// Returns the change of the delay to report; 0 if it is too small. Slewing changes it by less than
// that with each frame, so its changes add up.
nanoseconds QueueReports::take_change(QueueState &state, const Playout::Play &play)
{
    const auto offset = play.output_time - play.media_time;
    const auto last_offset = std::exchange(state.last_offset, offset).value_or(offset);
    auto change = offset - last_offset;
    auto minimum_change = nanoseconds(1ms); // drift changes the offset by less
    const auto delay = state.playout->delay();
    if (state.settings.adapt_mode(state.sink_follows) == AdaptMode::slew) {
        change = delay - state.reported_delay;
        minimum_change = 10ms;
    }
    if (std::chrono::abs(change) < minimum_change && !play.is_first)
        return 0ns;
    state.reported_delay = delay;
    return change;
}

QueueReports::QueueReports(QueueContext &context)
    : context_(context), depth_messages_(context.element, "jkvm-depth"),
      latency_messages_(context.element), stats_report_(context.element, GST_CAT_DEFAULT)
{}

void QueueReports::on_play(QueueState &state, const Playout::Play &play, nanoseconds now,
                           PendingSignals &pending)
{
    pending.running = std::exchange(state.is_dry, false);
    const auto change = take_change(state, play);
    if (play.is_first)
        pending.depth = "start";
    else if (change != 0ns)
        pending.depth = change > 0ns ? "grow" : "shrink";

    state.latency.record(now - play.arrival);
    pending.losses = state.losses.take(state.playout->counters(), now);
    const auto monotonic = monotonic_now();
    pending.latency_change =
        state.latency_watch.update(state.latency, state.settings.latency, monotonic);
    pending.stats = stats_report_.is_due(state.settings.report_interval, monotonic);
    if (state.settings.latency_mode == LatencyMode::reported &&
        (change != 0ns || now >= state.next_latency_check)) {
        state.next_latency_check = now + 1s;
        pending.latency =
            state.latency_report.update(state.playout->delay() + state.settings.output_margin, now);
    }
}

void QueueReports::send(const PendingSignals &pending)
{
    if (pending.drop)
        GST_DEBUG_OBJECT(context_.element, "dropping a %sframe: %s",
                         pending.drop->is_quiet ? "quiet " : "", name_of(pending.drop->reason));
    if (pending.losses)
        log_losses(context_.element, 0, pending.losses);
    if (pending.underrun)
        context_.emit(context_.element, QueueSignal::underrun);
    if (pending.running)
        context_.emit(context_.element, QueueSignal::running);
    if (pending.depth != nullptr) {
        const auto stats = context_.state.lock()->playout->stats();
        GST_DEBUG_OBJECT(context_.element,
                         "delay %" GST_TIME_FORMAT ", target %" GST_TIME_FORMAT ": %s",
                         GST_TIME_ARGS(stats.delay.count()),
                         GST_TIME_ARGS(stats.target_delay.count()), pending.depth);
        Fields fields;
        fields.set("current-delay", stats.delay)
            .set("target-delay", stats.target_delay)
            .set("depth", static_cast<guint>(stats.queued_frames));
        depth_messages_.post(pending.depth, fields);
    }
    if (pending.latency_change)
        latency_messages_.post(*pending.latency_change);
    if (pending.stats)
        stats_report_.post(collect_stats(context_).release());
    if (pending.latency)
        post_latency();
}

void QueueReports::log_concealment(const Playout::Conceal &conceal) const
{
    GST_DEBUG_OBJECT(context_.element, "concealing %" GST_TIME_FORMAT ": %s",
                     GST_TIME_ARGS(conceal.duration.count()), name_of(conceal.reason));
}

void QueueReports::log_sink(bool follows_timestamps) const
{
    GST_INFO_OBJECT(context_.element, "the sink %s timestamps; the delay changes by %s",
                    follows_timestamps ? "follows" : "is not known to follow",
                    follows_timestamps ? "slewing" : "whole frames");
}

void QueueReports::post_latency() const
{
    const auto latency = context_.state.lock()->own_latency();
    GST_INFO_OBJECT(context_.element, "the reported latency is now %" GST_TIME_FORMAT,
                    GST_TIME_ARGS(latency.count()));
    gst_element_post_message(context_.element,
                             gst_message_new_latency(GST_OBJECT(context_.element)));
}

} // namespace jkvm
