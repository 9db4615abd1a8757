// SPDX-License-Identifier: LGPL-2.1-or-later
#include "supervised_bin.h"

#include "common/element_error.h"
#include "value_text.h"
#include "worker_command.h"
#include "worker_link.h"

#include <algorithm>

GST_DEBUG_CATEGORY_STATIC(jkvm_supervisor_debug);
#define GST_CAT_DEFAULT jkvm_supervisor_debug

namespace jkvm {

namespace {

const char *nick(ExitReason reason)
{
    switch (reason) {
    case ExitReason::exited:
        return "exited";
    case ExitReason::killed:
        return "killed";
    case ExitReason::hang:
        return "hang";
    case ExitReason::replaced:
        return "replaced";
    case ExitReason::failed:
    case ExitReason::unstartable:
    case ExitReason::refused:
        return "failed";
    }
    return "";
}

/// Returns a random abstract name, for which no file is created. Only the worker may connect to it,
/// even if another process knows the name.
std::string make_socket_name()
{
    gchar *unique = g_uuid_string_random();
    std::string name = std::string("@jkvm-worker-") + unique;
    g_free(unique);
    return name;
}

GstStaticPadTemplate *pad_template(SupervisedBin::Side side)
{
    constexpr const char *opus = "audio/x-opus, channel-mapping-family = (int) 0";
    static GstStaticPadTemplate source =
        GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(opus));
    static GstStaticPadTemplate sink =
        GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(opus));
    return side == SupervisedBin::Side::source ? &source : &sink;
}

/// Adds the ghost pad, which belongs to the element.
GstPad *add_pad(GstElement *element, SupervisedBin::Side side)
{
    const char *name = side == SupervisedBin::Side::source ? "src" : "sink";
    auto *pad = gst_ghost_pad_new_no_target_from_template(
        name, gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(element), name));
    gst_element_add_pad(element, pad);
    return pad;
}

} // namespace

void SupervisedBin::configure_class(GstElementClass *klass, Side side, const char *long_name,
                                    const char *description)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_supervisor_debug, "jkvmsupervisor", 0, "Supervised pipelines");
    auto *object_class = G_OBJECT_CLASS(klass);
    supervisor_properties().install(object_class);
    live_properties().install(object_class);
    gst_element_class_add_static_pad_template(klass, pad_template(side));
    gst_element_class_set_static_metadata(klass, long_name,
                                          side == Side::source ? "Source/Audio" : "Sink/Audio",
                                          description, "the jkvm developers");
}

SupervisedBin::SupervisedBin(GstElement *element, Side side)
    : element_(element), side_(side),
      ipc_(gst_element_factory_make(side == Side::source ? "jkvmipcsrc" : "jkvmipcsink", "ipc")),
      pad_(add_pad(element, side)), relay_(element, pad_, ipc_)
{
    if (ipc_ == nullptr)
        return;
    gst_util_set_object_arg(G_OBJECT(ipc_), "mode", "listen");
    gst_util_set_object_arg(G_OBJECT(ipc_), "direction", JKVM_WORKER_DIRECTION);
    gst_util_set_object_arg(G_OBJECT(ipc_), "dialect", JKVM_WORKER_DIALECT);
    g_signal_connect(ipc_, "client-connecting", G_CALLBACK(on_client_connecting), this);
    gst_bin_add(GST_BIN(element), ipc_);
    const auto target = GstRef<GstPad>::adopt(gst_element_get_static_pad(ipc_, GST_PAD_NAME(pad_)));
    gst_ghost_pad_set_target(GST_GHOST_PAD(pad_), target.get());
}

const PropertyTable<SupervisedBin> &SupervisedBin::live_properties()
{
    static const PropertyTable<SupervisedBin> table{
        computed<SupervisedBin>("stats", "Statistics", "State of the worker process, and counters",
                                AnyValue{}, &SupervisedBin::stats),
    };
    return table;
}

void SupervisedBin::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    const auto before = settings_.lock()->launch;
    if (!supervisor_properties().set(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    if (const auto launch = settings_.lock()->launch; launch != before)
        on_launch_changed(launch);
}

void SupervisedBin::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!live_properties().get(*this, value, spec) &&
        !supervisor_properties().get(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

bool SupervisedBin::open()
{
    const auto settings = settings_.snapshot();
    if (ipc_ == nullptr) {
        post_error(element_, {ErrorKind::launch_invalid, settings.launch,
                              "the plugin jkvmipc is not installed"});
        return false;
    }
    if (settings.launch.empty()) {
        post_error(element_, {ErrorKind::launch_invalid, "", "the property launch is not set"});
        return false;
    }
    if (!close_previous()) {
        post_error(element_, {ErrorKind::child_failed, "the worker is still being stopped",
                              "the state was changed from a handler of its notification"});
        return false;
    }
    relay_.reset();
    const auto socket = make_socket_name();
    g_object_set(ipc_, "socket-path", socket.c_str(), nullptr);
    auto supervisor =
        Supervisor::start({.command = make_worker_command(side_name(), socket, settings.launch,
                                                          settings.hang_timeout),
                           .limits = settings.limits,
                           .hang_timeout = settings.hang_timeout,
                           .stop_timeout = settings.stop_timeout,
                           .retries_endlessly = settings.on_failure == OnFailure::silence},
                          *this, relay_.connection());
    if (!supervisor) {
        post_error(element_, supervisor.error());
        return false;
    }
    auto session = session_.lock();
    session->supervisor = std::move(*supervisor);
    session->socket = socket;
    session->hang_timeout = settings.hang_timeout;
    return true;
}

/// The bin's elements are those of the new line, and a running worker is replaced.
void SupervisedBin::on_launch_changed(const std::string &launch)
{
    relay_.replace_elements(launch);
    const auto session = session_.lock();
    if (!session->supervisor)
        return;
    GST_INFO_OBJECT(element_, "replacing the worker by one with another launch line");
    session->supervisor->replace(
        make_worker_command(side_name(), session->socket, launch, session->hang_timeout));
}

guint SupervisedBin::children_count() const
{
    GST_OBJECT_LOCK(element_);
    const auto own = static_cast<guint>(GST_BIN_NUMCHILDREN(element_));
    GST_OBJECT_UNLOCK(element_);
    return own + relay_.elements().count();
}

GObject *SupervisedBin::child_at(guint index) const
{
    GST_OBJECT_LOCK(element_);
    const auto own = static_cast<guint>(GST_BIN_NUMCHILDREN(element_));
    auto *child = index < own ? g_list_nth_data(GST_BIN_CHILDREN(element_), index) : nullptr;
    if (child != nullptr)
        gst_object_ref(child);
    GST_OBJECT_UNLOCK(element_);
    return static_cast<GObject *>(
        child != nullptr ? child : relay_.elements().at(index - std::min(index, own)).release());
}

void SupervisedBin::close()
{
    std::unique_ptr<Supervisor> supervisor;
    {
        auto session = session_.lock();
        if (session->supervisor->is_own_thread()) // in a handler of `notify`
            return session->supervisor->request_stop();
        session->last = session->supervisor->stats();
        supervisor = std::move(session->supervisor);
    }
    // Without the lock: an application may read the statistics while the supervisor reports an
    // exit.
    const auto last = supervisor->stop();
    session_.lock()->last = last;
}

bool SupervisedBin::close_previous()
{
    const auto [exists, is_own] = [this] {
        const auto session = session_.lock();
        const auto &supervisor = session->supervisor;
        return std::pair(supervisor != nullptr, supervisor && supervisor->is_own_thread());
    }();
    if (exists && !is_own)
        close();
    return !is_own;
}

/// Accepts the worker only. Service thread of the IPC element.
gboolean SupervisedBin::on_client_connecting(GstElement *, gint pid, guint, gpointer self)
{
    const auto session = static_cast<SupervisedBin *>(self)->session_.lock();
    return session->supervisor && session->supervisor->is_child(pid);
}

void SupervisedBin::on_child_started(pid_t pid)
{
    GST_INFO_OBJECT(element_, "worker %d started", pid);
    relay_.start_worker();
    post("started", std::move(Fields().set("pid", pid)));
}

void SupervisedBin::on_child_ended(const ChildExit &exit)
{
    GST_CAT_LEVEL_LOG(jkvm_supervisor_debug,
                      exit.reason == ExitReason::replaced ? GST_LEVEL_INFO : GST_LEVEL_WARNING,
                      element_, "worker %d %s", exit.pid, exit.text.c_str());
    post(nick(exit.reason), std::move(Fields()
                                          .set("pid", exit.pid)
                                          .set("exit-status", exit.status.code)
                                          .set("signal", exit.status.signal)
                                          .set("detail", exit.text)
                                          .set("errors", exit.errors)));
}

bool SupervisedBin::on_control_message(const ControlMessage &message)
{
    return relay_.on_message(message);
}

void SupervisedBin::on_control_violation()
{
    relay_.distrust_worker();
    post_warning(element_, {ErrorKind::child_incompatible, worker_program(),
                            "it sent something other than control messages"});
}

void SupervisedBin::on_gave_up(const ChildExit &exit)
{
    if (exit.reason == ExitReason::unstartable)
        post_error(element_, {ErrorKind::child_unstartable, to_utf8(exit.program), exit.text});
    else
        post_error(element_, {exit.reason == ExitReason::refused ? ErrorKind::launch_invalid
                                                                 : ErrorKind::child_failed,
                              to_utf8(exit.text),
                              "last lines of its error output:\n" + to_utf8(exit.errors)});
}

/// Posts every message, unlike ElementMessages: the limits of restarts bound their rate.
void SupervisedBin::post(const char *reason, Fields fields) const
{
    auto *structure = Fields().set("reason", reason).append(fields).release("jkvm-child");
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
}

GstStructure *SupervisedBin::stats() const
{
    const auto stats = [this] {
        const auto session = session_.lock();
        return session->supervisor ? session->supervisor->stats() : session->last;
    }();
    const auto relayed = relay_.stats();
    return Fields()
        .set("running", stats.running)
        .set("pid", stats.pid)
        .set("restarts", stats.restarts)
        .set("exits", stats.exits)
        .set("kills", stats.kills)
        .set("hangs", stats.hangs)
        .set("failures", stats.failures)
        .set("heartbeats", stats.heartbeats)
        .set("last-exit", stats.last_exit)
        .set("cpu-percent", stats.usage.cpu_percent)
        .set("rss", stats.usage.rss)
        .set("vms", stats.usage.vms)
        .set("messages", relayed.messages)
        .set("messages-dropped", relayed.dropped)
        .release(side_ == Side::source ? "application/x-jkvm-supervisedsrc-stats"
                                       : "application/x-jkvm-supervisedsink-stats");
}

} // namespace jkvm
