// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker_control.h"

#include "common/clocks.h"
#include "control_kind.h"
#include "relayed_message.h"
#include "value_text.h"

#include "core/base/time.h"

#include <glib-unix.h>

#include <poll.h>

#include <utility>

namespace jkvm {

namespace {

// Time for the last messages before the worker ends. The bin usually reads at once.
constexpr int final_flush_timeout = 200; // ms

void remove_source(guint &source)
{
    if (const auto id = std::exchange(source, 0); id != 0)
        g_source_remove(id);
}

} // namespace

WorkerControl::WorkerControl(int fd, GstBin *pipeline, GstElement *link)
    : pipeline_(pipeline), link_(link)
{
    connection_.open(UniqueFd(fd));
    connect_stream();
    const auto on_readable = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->receive();
        return G_SOURCE_CONTINUE;
    };
    const auto on_queued = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->flush();
        return G_SOURCE_CONTINUE;
    };
    readable_ = g_unix_fd_add(connection_.fd(), G_IO_IN, on_readable, this);
    queued_ = g_unix_fd_add(connection_.wake_fd(), G_IO_IN, on_queued, this);
    const auto on_timer = [](gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->demand_observer_->check();
        return G_SOURCE_CONTINUE;
    };
    constexpr guint interval = 1000; // ms
    if (demand_observer_)
        timer_ = g_timeout_add(interval, on_timer, this);
}

WorkerControl::~WorkerControl()
{
    finish();
    disconnect();
}

void WorkerControl::finish()
{
    const auto deadline = monotonic_now() + std::chrono::milliseconds(final_flush_timeout);
    while (connection_.fd() >= 0 && !connection_.flush() && monotonic_now() < deadline) {
        pollfd writable{connection_.fd(), POLLOUT, 0};
        ::poll(&writable, 1, final_flush_timeout);
    }
}

/// A link that feeds the pipeline has a source pad; one that is fed by it, a sink pad.
void WorkerControl::connect_stream()
{
    const auto source = GstRef<GstPad>::adopt(gst_element_get_static_pad(link_, "src"));
    if (!source)
        return connect_output();
    demand_observer_.emplace(source.get(), [this](bool is_heard) {
        connection_.send(make_control(ControlKind::demand, is_heard), "demand");
    });
    // The bin still has the reports of the previous worker.
    demand_observer_->report();
    following_observer_.emplace(source.get(), [this](bool follows) {
        connection_.send(make_control(ControlKind::following, follows), "following");
    });
}

void WorkerControl::connect_output()
{
    demand_override_.emplace(link_);
    const auto on_event = [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
        auto *event = gst_pad_probe_info_get_event(info);
        if (GST_EVENT_TYPE(event) == GST_EVENT_GAP)
            static_cast<WorkerControl *>(self)->on_gap(event);
        return GST_PAD_PROBE_OK;
    };
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(link_, "sink"));
    gap_probe_.emplace(pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, this);
}

/// The audio's protocol has no message for it. Only the newest one matters: it is announced so that
/// time passes at the bin's source pad, too.
void WorkerControl::on_gap(GstEvent *event)
{
    const auto segment_event =
        GstRef<GstEvent>::adopt(gst_pad_get_sticky_event(gap_probe_->pad(), GST_EVENT_SEGMENT, 0));
    if (!segment_event)
        return;
    const GstSegment *segment = nullptr;
    gst_event_parse_segment(segment_event.get(), &segment);
    GstClockTime start = 0;
    GstClockTime duration = 0;
    gst_event_parse_gap(event, &start, &duration);
    const auto running = gst_segment_to_running_time(segment, GST_FORMAT_TIME, start);
    if (!GST_CLOCK_TIME_IS_VALID(running))
        return;
    const auto length = GST_CLOCK_TIME_IS_VALID(duration) ? duration : 0;
    const auto clocks = read_clocks(link_);
    const auto wall_of = [&clocks](GstClockTime time) {
        return std::to_string(clocks.wall_of(nanoseconds(time)).time_since_epoch().count());
    };
    connection_.send(make_control(ControlKind::gap, wall_of(running), wall_of(running + length)),
                     "gap");
}

void WorkerControl::disconnect()
{
    for (auto *source : {&readable_, &writable_, &queued_, &timer_})
        remove_source(*source);
    connection_.close();
}

void WorkerControl::wait_for_start()
{
    while (!may_start_ && connection_.fd() >= 0) {
        pollfd readable{connection_.fd(), POLLIN, 0};
        ::poll(&readable, 1, -1);
        receive();
    }
    if (following_observer_)
        following_observer_->query();
    properties_.emplace(
        pipeline_, link_,
        [this](const std::string &element, const std::string &property, const std::string &value,
               bool is_notified) { report(element, property, value, is_notified); });
}

void WorkerControl::flush()
{
    const auto on_writable = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->writable_ = 0;
        static_cast<WorkerControl *>(self)->flush();
        return G_SOURCE_REMOVE;
    };
    if (!connection_.flush() && writable_ == 0)
        writable_ = g_unix_fd_add(connection_.fd(), G_IO_OUT, on_writable, this);
}

void WorkerControl::receive()
{
    using Received = ControlConnection::Received;
    ControlMessage message;
    for (;;) {
        switch (connection_.receive(message)) {
        case Received::message:
            on_command(message);
            break;
        case Received::nothing:
            return;
        case Received::closed:
        case Received::invalid:
            return disconnect();
        }
    }
}

void WorkerControl::on_command(const ControlMessage &command)
{
    const auto &fields = command.fields;
    if (command.kind == static_cast<std::uint8_t>(ControlKind::start))
        may_start_ = true;
    else if (command.kind == static_cast<std::uint8_t>(ControlKind::demand) && demand_override_ &&
             flag_of(command))
        demand_override_->set_heard(*flag_of(command));
    else if (command.kind == static_cast<std::uint8_t>(ControlKind::set) && fields.size() == 3)
        set_property(fields[0], fields[1], fields[2]);
}

void WorkerControl::set_property(const std::string &element, const std::string &property,
                                 const std::string &value)
{
    const auto found = GstRef<GstElement>::adopt(gst_bin_get_by_name(pipeline_, element.c_str()));
    auto *spec =
        found ? g_object_class_find_property(G_OBJECT_GET_CLASS(found.get()), property.c_str())
              : nullptr;
    if (spec == nullptr || (spec->flags & G_PARAM_WRITABLE) == 0)
        return;
    GValue parsed = G_VALUE_INIT;
    g_value_init(&parsed, spec->value_type);
    if (set_from_text(&parsed, value, spec))
        g_object_set_property(G_OBJECT(found.get()), spec->name, &parsed);
    g_value_unset(&parsed);
    if (properties_ && found.get() != link_)
        properties_->report(found.get(), spec); // the element may have chosen another value
}

void WorkerControl::report(const std::string &element, const std::string &property,
                           const std::string &value, bool is_notified)
{
    const auto key = element + "::" + property;
    connection_.send(make_control(ControlKind::value, element, property, value), key);
    if (is_notified)
        connection_.send(make_control(ControlKind::notify, element, property), key + "::notify");
}

void WorkerControl::on_message(GstMessage *message)
{
    // The link's peer, an element of the bin, reports the link's state.
    if (GST_MESSAGE_SRC(message) == GST_OBJECT(link_) &&
        GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT)
        return;
    const auto control = describe_message(message);
    if (!control)
        return;
    // Element messages that the bin does not read must not displace an error: the last diagnoses
    // have places of their own in the queue.
    constexpr unsigned max_diagnoses = 16;
    const bool is_diagnosis = control->kind == static_cast<std::uint8_t>(ControlKind::diagnosis);
    connection_.send(*control, is_diagnosis
                                   ? "diagnosis-" + std::to_string(diagnoses_++ % max_diagnoses)
                                   : std::string());
}

} // namespace jkvm
