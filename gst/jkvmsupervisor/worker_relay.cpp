// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker_relay.h"

#include "common/pause_event.h"
#include "common/timestamp_following.h"
#include "relayed_message.h"

#include <charconv>

namespace jkvm {

WorkerRelay::WorkerRelay(GstElement *bin, GstPad *pad, GstElement *ipc)
    : bin_(bin), elements_(bin,
                           [this](const ShadowElements::Key &key, const std::string &value) {
                               if (!is_replacing_)
                                   connection_.send(
                                       make_control(ControlKind::set, key.first, key.second, value),
                                       key.first + "::" + key.second);
                           }),
      ipc_(ipc)
{
    if (GST_PAD_IS_SRC(pad)) {
        observe_source(pad);
    } else if (ipc != nullptr) {
        demand_override_.emplace(ipc);
        answer_queries(pad);
    }
}

void WorkerRelay::reset()
{
    if (demand_observer_)
        demand_observer_->reset();
    if (demand_override_)
        demand_override_->set_heard(true);
}

void WorkerRelay::replace_elements(const std::string &launch)
{
    is_replacing_ = true;
    elements_.replace(launch);
}

void WorkerRelay::start_worker()
{
    is_replacing_ = false;
    elements_.send_all();
    if (demand_observer_)
        demand_observer_->report();
    connection_.send(make_control(ControlKind::start));
}

bool WorkerRelay::on_message(const ControlMessage &message)
{
    const auto &fields = message.fields;
    switch (static_cast<ControlKind>(message.kind)) {
    case ControlKind::element_message:
    case ControlKind::diagnosis:
        post(message);
        return true;
    case ControlKind::value:
        if (fields.size() != 3)
            return false;
        if (!is_replacing_)
            elements_.report({fields[0], fields[1]}, fields[2]);
        return true;
    case ControlKind::notify:
        if (fields.size() != 2)
            return false;
        if (!is_replacing_)
            elements_.notify({fields[0], fields[1]});
        return true;
    case ControlKind::demand:
        if (!flag_of(message) || !demand_override_)
            return false;
        demand_override_->set_heard(*flag_of(message));
        return true;
    case ControlKind::following:
        if (!flag_of(message))
            return false;
        set_following(*flag_of(message));
        return true;
    case ControlKind::gap:
        return announce_gap(message);
    case ControlKind::set:
    case ControlKind::start:
        break;
    }
    return false;
}

void WorkerRelay::observe_source(GstPad *pad)
{
    demand_observer_.emplace(pad, [this](bool is_heard) {
        connection_.send(make_control(ControlKind::demand, is_heard), "demand");
    });
}

void WorkerRelay::check_demand()
{
    if (demand_observer_)
        demand_observer_->check();
}

void WorkerRelay::distrust_worker()
{
    if (demand_override_)
        demand_override_->set_heard(true);
}

/// Answers in place of the worker's sink.
void WorkerRelay::answer_queries(GstPad *pad)
{
    const auto on_query = [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
        const bool follows = static_cast<WorkerRelay *>(self)->follows_;
        return answer_timestamp_following(gst_pad_probe_info_get_query(info), follows)
                   ? GST_PAD_PROBE_HANDLED
                   : GST_PAD_PROBE_OK;
    };
    constexpr auto types =
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH);
    query_probe_.emplace(pad, types, on_query, this);
}

/// The answer of a worker that has ended is kept until the next one reports.
void WorkerRelay::set_following(bool follows)
{
    if (query_probe_ && follows_.exchange(follows) != follows)
        gst_pad_push_event(query_probe_->pad(), gst_event_new_reconfigure());
}

/// Returns false if the fields are not two times.
bool WorkerRelay::announce_gap(const ControlMessage &message)
{
    const auto time_of = [](const std::string &text) -> std::optional<WallTime> {
        std::int64_t count = 0;
        const char *end = text.data() + text.size();
        const auto [last, error] = std::from_chars(text.data(), end, count);
        return error == std::errc() && last == end ? std::optional(WallTime(nanoseconds(count)))
                                                   : std::nullopt;
    };
    if (message.fields.size() != 2)
        return false;
    const auto start = time_of(message.fields[0]);
    const auto end = time_of(message.fields[1]);
    if (!start || !end)
        return false;
    gst_element_send_event(ipc_, make_pause({*start, *end}));
    return true;
}

void WorkerRelay::post(const ControlMessage &message)
{
    const bool is_diagnosis = message.kind == static_cast<std::uint8_t>(ControlKind::diagnosis);
    auto &limit = is_diagnosis ? diagnosis_limit_ : element_limit_;
    auto relayed =
        limit.admit(monotonic_now()) ? make_relayed_message(bin_, message) : GstRef<GstMessage>();
    ++(relayed ? messages_ : dropped_);
    if (relayed)
        gst_element_post_message(bin_, relayed.release());
}

} // namespace jkvm
