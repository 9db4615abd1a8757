// SPDX-License-Identifier: LGPL-2.1-or-later
#include "supervised_bin.h"

#include "common/element_error.h"
#include "common/properties.h"
#include "worker_link.h"

#include <cstdlib>

GST_DEBUG_CATEGORY_STATIC(jkvm_supervisor_debug);
#define GST_CAT_DEFAULT jkvm_supervisor_debug

namespace jkvm {

namespace {

constexpr guint property_stats = SupervisorSettings::own;

const char *nick(EndReason reason)
{
    switch (reason) {
    case EndReason::exited:
        return "exited";
    case EndReason::killed:
        return "killed";
    case EndReason::hang:
        return "hang";
    case EndReason::failed:
        return "failed";
    }
    return "";
}

std::string worker_program()
{
    const char *path = ::secure_getenv("JKVM_WORKER");
    return path != nullptr && *path != '\0' ? path : JKVM_WORKER_PATH;
}

/// Abstract, so there is no file to leave behind. Nobody can guess it, and only the worker is let
/// in anyway.
std::string make_socket_name()
{
    gchar *unique = g_uuid_string_random();
    std::string name = std::string("@jkvm-worker-") + unique;
    g_free(unique);
    return name;
}

/// GST_TRACERS without jkvmmetrics: its port is this process's, and cannot be the worker's too.
std::string without_metrics(const char *tracers)
{
    std::string rest;
    gchar **each = g_strsplit(tracers, ";", -1);
    for (gchar **tracer = each; *tracer != nullptr; ++tracer) {
        if (!g_str_has_prefix(g_strstrip(*tracer), "jkvmmetrics"))
            rest += (rest.empty() ? "" : ";") + std::string(*tracer);
    }
    g_strfreev(each);
    return rest;
}

/// Ours, but for what would be wrong in the worker.
std::vector<std::string> make_environment()
{
    gchar **environment = g_get_environ();
    // The parent has just read the registry and brought it up to date; the worker need not look at
    // every plugin's file again.
    environment = g_environ_setenv(environment, "GST_REGISTRY_UPDATE", "no", FALSE);
    // The word to the service manager is the parent's to give.
    for (const char *name : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})
        environment = g_environ_unsetenv(environment, name);
    // Each worker would begin the parent's log anew. Without a file it logs to its error output.
    const char *log = g_environ_getenv(environment, "GST_DEBUG_FILE");
    if (log != nullptr && g_strstr_len(log, -1, "%p") == nullptr)
        environment = g_environ_unsetenv(environment, "GST_DEBUG_FILE");
    if (const char *tracers = g_environ_getenv(environment, "GST_TRACERS"))
        environment =
            g_environ_setenv(environment, "GST_TRACERS", without_metrics(tracers).c_str(), TRUE);
    std::vector<std::string> result(environment, environment + g_strv_length(environment));
    g_strfreev(environment);
    return result;
}

/// What a process wrote need not be UTF-8, an error message must be.
std::string make_valid(const std::string &text)
{
    gchar *valid = g_utf8_make_valid(text.c_str(), static_cast<gssize>(text.size()));
    std::string result = valid;
    g_free(valid);
    return result;
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

} // namespace

void SupervisedBin::configure_class(GstElementClass *klass, Side side, const char *long_name,
                                    const char *description)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_supervisor_debug, "jkvmsupervisor", 0, "Supervised pipelines");
    auto *object_class = G_OBJECT_CLASS(klass);
    SupervisorSettings::install(object_class);
    g_object_class_install_property(
        object_class, property_stats,
        g_param_spec_boxed("stats", "Statistics", "The worker process, and counters (since 0.1)",
                           GST_TYPE_STRUCTURE, read_only));
    gst_element_class_add_static_pad_template(klass, pad_template(side));
    gst_element_class_set_static_metadata(klass, long_name,
                                          side == Side::source ? "Source/Audio" : "Sink/Audio",
                                          description, "the jkvm developers");
}

SupervisedBin::SupervisedBin(GstElement *element, Side side)
    : element_(element), side_(side),
      ipc_(gst_element_factory_make(side == Side::source ? "jkvmipcsrc" : "jkvmipcsink", "ipc"))
{
    const char *name = side == Side::source ? "src" : "sink";
    auto *pad = gst_ghost_pad_new_no_target_from_template(
        name, gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(element), name));
    gst_element_add_pad(element, pad);
    if (ipc_ == nullptr)
        return;
    gst_util_set_object_arg(G_OBJECT(ipc_), "mode", "listen");
    gst_util_set_object_arg(G_OBJECT(ipc_), "direction", JKVM_WORKER_DIRECTION);
    gst_util_set_object_arg(G_OBJECT(ipc_), "dialect", JKVM_WORKER_DIALECT);
    g_signal_connect(ipc_, "client-connecting", G_CALLBACK(is_client_ours), this);
    gst_bin_add(GST_BIN(element), ipc_);
    const auto target = GstRef<GstPad>::adopt(gst_element_get_static_pad(ipc_, name));
    gst_ghost_pad_set_target(GST_GHOST_PAD(pad), target.get());
}

void SupervisedBin::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    if (!settings_.lock()->set(id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void SupervisedBin::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (id == property_stats)
        g_value_take_boxed(value, stats());
    else if (!settings_.lock()->get(id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

bool SupervisedBin::open()
{
    const auto settings = settings_.snapshot();
    if (ipc_ == nullptr) {
        post_error(element_, {ErrorKind::launch_invalid, settings.launch,
                              "the elements of the plugin jkvmipc are missing"});
        return false;
    }
    if (settings.launch.empty()) {
        post_error(element_, {ErrorKind::launch_invalid, "", "the property launch is not set"});
        return false;
    }
    const auto socket = make_socket_name();
    g_object_set(ipc_, "socket-path", socket.c_str(), nullptr);
    auto supervisor =
        Supervisor::start({.command = command(settings.launch, socket),
                           .limits = settings.limits,
                           .hang_timeout = settings.hang_timeout,
                           .stop_timeout = settings.stop_timeout,
                           .retries_for_ever = settings.on_failure == OnFailure::silence},
                          *this);
    if (!supervisor) {
        post_error(element_, supervisor.error());
        return false;
    }
    session_.lock()->supervisor = std::move(*supervisor);
    return true;
}

void SupervisedBin::close()
{
    std::unique_ptr<Supervisor> supervisor;
    {
        auto session = session_.lock();
        session->last = session->supervisor->stats();
        supervisor = std::move(session->supervisor);
    }
    // It may be telling of a worker's end just now, and somebody may ask for our statistics then.
    const auto last = supervisor->stop();
    session_.lock()->last = last;
}

ChildCommand SupervisedBin::command(const std::string &launch, const std::string &socket) const
{
    const char *side = side_ == Side::source ? "--source=" : "--sink=";
    return {{worker_program(), side + socket,
             "--heartbeat-fd=" + std::to_string(ChildProcess::heartbeat_fd),
             "--parent=" + std::to_string(::getpid()), "--", launch},
            make_environment()};
}

/// From the thread of the IPC element that accepts clients.
gboolean SupervisedBin::is_client_ours(GstElement *, gint pid, guint, gpointer self)
{
    const auto session = static_cast<SupervisedBin *>(self)->session_.lock();
    return session->supervisor && session->supervisor->is_child(pid);
}

void SupervisedBin::child_started(pid_t pid)
{
    GST_INFO_OBJECT(element_, "worker %d started", pid);
    post("started", std::move(Fields().set("pid", pid)));
}

void SupervisedBin::child_ended(const ChildEnd &end)
{
    GST_WARNING_OBJECT(element_, "worker %d %s", end.pid, end.text.c_str());
    post(nick(end.reason), std::move(Fields()
                                         .set("pid", end.pid)
                                         .set("exit-status", end.status.code)
                                         .set("signal", end.status.signal)
                                         .set("detail", end.text)
                                         .set("errors", end.errors)));
}

void SupervisedBin::gave_up(const ChildEnd &end)
{
    post_error(element_, {end.is_refusal() ? ErrorKind::launch_invalid : ErrorKind::child_failed,
                          make_valid(end.text), "its last lines:\n" + make_valid(end.errors)});
}

/// Each one is posted, unlike messages of other kinds: the limits of restarts are limit enough.
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
        .release(side_ == Side::source ? "application/x-jkvm-supervisedsrc-stats"
                                       : "application/x-jkvm-supervisedsink-stats");
}

} // namespace jkvm
