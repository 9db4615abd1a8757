// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvm-worker: runs one pipeline as the child of a supervised bin or as a systemd service.
#include "common/gst_ref.h"
#include "common/heartbeat_context.h"
#include "core/supervise/supervisor.h"
#include "pipeline_heartbeat.h"
#include "worker_control.h"
#include "worker_link.h"

#include <glib-unix.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace jkvm;

/// The command line.
struct Options {
    gchar *source = nullptr; // socket that receives the pipeline's output
    gchar *sink = nullptr;   // socket that supplies the pipeline's input
    gint heartbeat_fd = -1;
    gint heartbeat_interval = 100; // ms
    gint control_fd = -1;
    gint parent = 0; // process whose end kills the worker; 0 = none
    std::string description;
};

constexpr const char *link_name = "jkvm-link";

/// Exits because the command line can never work. The parent quotes the last line.
[[noreturn]] void refuse(const std::string &reason)
{
    g_printerr("jkvm-worker: could not run the pipeline:\n%s\n", reason.c_str());
    // Skips exit handlers, whose output would follow the reason.
    ::_exit(Supervisor::exit_refused);
}

Options parse_options(int argc, char **argv)
{
    Options options;
    gchar **words = nullptr;
    const GOptionEntry entries[] = {
        {"source", 0, 0, G_OPTION_ARG_STRING, &options.source,
         "Send the pipeline's output to the jkvmsupervisedsrc at this socket", "SOCKET"},
        {"sink", 0, 0, G_OPTION_ARG_STRING, &options.sink,
         "Feed the pipeline from the jkvmsupervisedsink at this socket", "SOCKET"},
        {"heartbeat-fd", 0, 0, G_OPTION_ARG_INT, &options.heartbeat_fd,
         "Write a byte to this descriptor for each heartbeat", "FD"},
        {"heartbeat-interval", 0, 0, G_OPTION_ARG_INT, &options.heartbeat_interval,
         "Minimum time between two heartbeats (ms)", "MS"},
        {"control-fd", 0, 0, G_OPTION_ARG_INT, &options.control_fd,
         "Exchange control messages with the parent at this descriptor", "FD"},
        {"parent", 0, 0, G_OPTION_ARG_INT, &options.parent, "Exit when this process ends", "PID"},
        // A filename, unlike a string, is not converted from the locale's encoding.
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, nullptr, "PIPELINE"},
        {},
    };
    auto *context =
        g_option_context_new("- run a GStreamer pipeline and send heartbeats while it works");
    g_option_context_add_main_entries(context, entries, nullptr);
    GError *error = nullptr;
    const bool is_valid = g_option_context_parse(context, &argc, &argv, &error) != FALSE;
    g_option_context_free(context);
    if (!is_valid)
        refuse(error->message);
    for (gchar **word = words; word != nullptr && *word != nullptr; ++word)
        options.description += (word == words ? "" : " ") + std::string(*word);
    g_strfreev(words);
    if (options.description.empty())
        refuse("no pipeline was given");
    return options;
}

/// Requests SIGKILL at the end of the thread that started this process. If that thread has already
/// ended, the parent is another process by now.
void die_with(pid_t parent)
{
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)
        ::_exit(EXIT_FAILURE);
}

/// Returns the description with the private socket at its end or at its beginning.
std::string full_description(const Options &options)
{
    const auto ipc = [](const char *element, const char *socket) {
        return std::string(element) + " name=" + link_name + " mode=connect" +
               " direction=" + JKVM_WORKER_DIRECTION + " dialect=" + JKVM_WORKER_DIALECT +
               " socket-path=" + socket;
    };
    if (options.source != nullptr)
        return options.description + " ! " + ipc("jkvmipcsink", options.source);
    if (options.sink != nullptr)
        return ipc("jkvmipcsrc timestamp-mode=capture-stretched", options.sink) + " ! " +
               options.description;
    return options.description;
}

GstRef<GstElement> parse(const std::string &description)
{
    GError *error = nullptr;
    auto *parsed =
        gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (parsed == nullptr)
        refuse(error->message);
    auto element = GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(parsed)));
    if (GST_IS_PIPELINE(element.get()))
        return element;
    // A description of a single element yields that element.
    auto pipeline =
        GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
    gst_bin_add(GST_BIN(pipeline.get()), element.get());
    return pipeline;
}

class Worker {
public:
    Worker(const Options &options, GstRef<GstElement> pipeline)
        : heartbeat_interval_(std::max(options.heartbeat_interval, 1)),
          heartbeat_(options.heartbeat_fd, heartbeat_interval_), pipeline_(std::move(pipeline)),
          bus_(GstRef<GstBus>::adopt(gst_element_get_bus(pipeline_.get()))),
          link_(
              GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), link_name))),
          is_fed_(options.sink != nullptr), loop_(g_main_loop_new(nullptr, FALSE))
    {
        if (options.control_fd >= 0)
            control_.emplace(options.control_fd, GST_BIN(pipeline_.get()), link_.get());
        start_heartbeat();
    }
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;
    ~Worker() { g_main_loop_unref(loop_); }

    /// Blocks until the pipeline has ended and returns the exit status.
    int run();

private:
    void start_heartbeat();
    void end_stream();
    void send_end();
    void start_end_timer(void (*on_end)(Worker &));
    void stop_end_timer();
    void on_message(GstMessage *message);
    void on_error(GstMessage *message);

    std::chrono::milliseconds heartbeat_interval_;
    PipelineHeartbeat heartbeat_; // outlives the pipeline
    GstRef<GstElement> pipeline_;
    GstRef<GstBus> bus_;
    GstRef<GstElement> link_;              // to the parent; null without one
    std::optional<WorkerControl> control_; // none without a parent
    bool is_fed_;                          // by the parent
    GMainLoop *loop_;
    guint end_timer_ = 0; // 0 = not running
    void (*on_end_timer_)(Worker &) = nullptr;
    bool is_end_pending_ = false; // until the state has changed
    std::string error_;           // that ended the pipeline
};

/// A pipeline that is fed by the parent may have nothing to play, so only its threads are observed.
/// Any other pipeline has a continuous stream of audio or GAP events, which has to reach the parent
/// or, without one, the sinks.
void Worker::start_heartbeat()
{
    if (is_fed_)
        return heartbeat_.follow_threads(GST_BIN(pipeline_.get()));
    set_heartbeat_context(pipeline_.get(), heartbeat_interval_);
    if (link_) {
        const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(link_.get(), "sink"));
        return heartbeat_.follow_stream(pad.get());
    }
    const auto on_sink = [](const GValue *sink, gpointer heartbeat) noexcept {
        const auto on_pad = [](GstElement *, GstPad *pad, gpointer data) noexcept -> gboolean {
            static_cast<PipelineHeartbeat *>(data)->follow_stream(pad);
            return TRUE;
        };
        gst_element_foreach_sink_pad(GST_ELEMENT(g_value_get_object(sink)), on_pad, heartbeat);
    };
    auto *sinks = gst_bin_iterate_sinks(GST_BIN(pipeline_.get()));
    gst_iterator_foreach(sinks, on_sink, &heartbeat_);
    gst_iterator_free(sinks);
}

/// Ends the stream after everything that the parent has sent was played: the parent closes the
/// socket before it sends SIGTERM, and the stream then ends with the socket. If another process
/// sent SIGTERM, a timer ends the stream, after many times the duration that the socket can buffer.
void Worker::end_stream()
{
    if (end_timer_ != 0)
        return; // a second signal
    if (is_fed_) {
        gst_util_set_object_arg(G_OBJECT(link_.get()), "on-disconnect", "eos");
        GstStructure *stats = nullptr;
        g_object_get(link_.get(), "stats", &stats, nullptr);
        gboolean is_connected = FALSE;
        gst_structure_get_boolean(stats, "connected", &is_connected);
        gst_structure_free(stats);
        if (is_connected != FALSE)
            return start_end_timer([](Worker &self) { self.send_end(); });
    }
    send_end();
}

/// Sending an EOS during an asynchronous state change would deadlock with the streaming thread, so
/// it is postponed until the change is complete. A pipeline that never completes it has no output
/// to finish, and is quit by the timer.
void Worker::send_end()
{
    is_end_pending_ =
        gst_element_get_state(pipeline_.get(), nullptr, nullptr, 0) == GST_STATE_CHANGE_ASYNC;
    if (is_end_pending_)
        return start_end_timer([](Worker &self) { g_main_loop_quit(self.loop_); });
    stop_end_timer();
    gst_element_send_event(pipeline_.get(), gst_event_new_eos());
}

void Worker::start_end_timer(void (*on_end)(Worker &))
{
    constexpr guint timeout = 1000; // ms
    const auto on_timer = [](gpointer self) noexcept -> gboolean {
        static_cast<Worker *>(self)->end_timer_ = 0;
        static_cast<Worker *>(self)->on_end_timer_(*static_cast<Worker *>(self));
        return G_SOURCE_REMOVE;
    };
    stop_end_timer();
    on_end_timer_ = on_end;
    end_timer_ = g_timeout_add(timeout, on_timer, this);
}

void Worker::stop_end_timer()
{
    if (const auto timer = std::exchange(end_timer_, 0); timer != 0)
        g_source_remove(timer);
}

int Worker::run()
{
    const auto on_message = [](GstBus *, GstMessage *message, gpointer self) noexcept -> gboolean {
        static_cast<Worker *>(self)->on_message(message);
        return G_SOURCE_CONTINUE;
    };
    const auto on_signal = [](gpointer self) noexcept -> gboolean {
        static_cast<Worker *>(self)->end_stream();
        return G_SOURCE_CONTINUE;
    };
    const guint watch = gst_bus_add_watch(bus_.get(), on_message, this);
    const guint terminate = g_unix_signal_add(SIGTERM, on_signal, this);
    const guint interrupt = g_unix_signal_add(SIGINT, on_signal, this);
    if (control_)
        control_->wait_for_start();
    if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE) {
        g_main_loop_run(loop_);
    } else {
        error_ = "the pipeline could not be started";
        while (const auto message = GstRef<GstMessage>::adopt(gst_bus_pop(bus_.get())))
            this->on_message(message.get());
    }
    if (control_)
        control_->finish(); // closing a device may never return
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    for (const guint source : {watch, terminate, interrupt})
        g_source_remove(source);
    stop_end_timer();
    if (!error_.empty())
        g_printerr("jkvm-worker: %s\n", error_.c_str());
    return error_.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

void Worker::on_message(GstMessage *message)
{
    if (control_)
        control_->on_message(message);
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
        g_main_loop_quit(loop_);
        break;
    case GST_MESSAGE_ERROR:
        on_error(message);
        break;
    case GST_MESSAGE_STATE_CHANGED:
        if (is_end_pending_ && GST_MESSAGE_SRC(message) == GST_OBJECT(pipeline_.get()))
            send_end();
        break;
    case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
        break;
    case GST_MESSAGE_CLOCK_LOST: // the return to PLAYING selects a new clock
        gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED);
        gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
        break;
    default:
        break;
    }
}

void Worker::on_error(GstMessage *message)
{
    GError *error = nullptr;
    gchar *debug = nullptr;
    gst_message_parse_error(message, &error, &debug);
    g_printerr("%s\n", debug != nullptr ? debug : "");
    error_ = std::string(GST_MESSAGE_SRC_NAME(message)) + ": " + error->message;
    g_error_free(error);
    g_free(debug);
    g_main_loop_quit(loop_);
}

} // namespace

int main(int argc, char **argv)
{
    // Before the slow initialisation of GStreamer, during which the parent may die.
    const auto options = parse_options(argc, argv);
    if (options.parent != 0)
        die_with(options.parent);
    // They must not leak into programs that an element starts.
    for (const int fd : {options.heartbeat_fd, options.control_fd})
        if (fd >= 0)
            ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::signal(SIGPIPE, SIG_IGN); // writing to a parent that has ended
    gst_init(nullptr, nullptr);
    const int status = [&options] {
        Worker worker(options, parse(full_description(options)));
        return worker.run();
    }();
    g_free(options.source);
    g_free(options.sink);
    gst_deinit();
    return status;
}
