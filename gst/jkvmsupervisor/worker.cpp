// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvm-worker: runs one pipeline, as a child of a supervised bin or as a service of systemd.
#include "common/gst_ref.h"
#include "core/supervise/supervisor.h"
#include "heart.h"
#include "worker_link.h"

#include <glib-unix.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

namespace {

using namespace jkvm;

/// What the command line says.
struct Options {
    gchar *source = nullptr; // the socket that the end of the pipeline is joined to
    gchar *sink = nullptr;   // the socket that the beginning of the pipeline is joined to
    gint heartbeat_fd = -1;
    gint parent = 0; // the process that must not be outlived; 0 = none
    std::string description;
};

constexpr const char *joint = "jkvm-joint";

/// The worker cannot do what it was started for. The parent quotes the last line.
[[noreturn]] void refuse(const std::string &why)
{
    g_printerr("jkvm-worker: the pipeline cannot be run:\n%s\n", why.c_str());
    // No exit handlers: whatever they print would come behind the reason.
    ::_exit(Supervisor::exit_refused);
}

Options parse_options(int argc, char **argv)
{
    Options options;
    gchar **words = nullptr;
    const GOptionEntry entries[] = {
        {"source", 0, 0, G_OPTION_ARG_STRING, &options.source,
         "Send what the pipeline puts out to the jkvmsupervisedsrc at this socket", "SOCKET"},
        {"sink", 0, 0, G_OPTION_ARG_STRING, &options.sink,
         "Feed the pipeline from the jkvmsupervisedsink at this socket", "SOCKET"},
        {"heartbeat-fd", 0, 0, G_OPTION_ARG_INT, &options.heartbeat_fd,
         "Write a byte to this descriptor for each heartbeat", "FD"},
        {"parent", 0, 0, G_OPTION_ARG_INT, &options.parent, "Die with this process", "PID"},
        // Unlike a string it is taken as it is, whatever language the parent is set to.
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words, nullptr, "PIPELINE"},
        {},
    };
    auto *context = g_option_context_new("- run a GStreamer pipeline, and tell that it works");
    g_option_context_add_main_entries(context, entries, nullptr);
    GError *error = nullptr;
    const bool is_good = g_option_context_parse(context, &argc, &argv, &error) != FALSE;
    g_option_context_free(context);
    if (!is_good)
        refuse(error->message);
    for (gchar **word = words; word != nullptr && *word != nullptr; ++word)
        options.description += (word == words ? "" : " ") + std::string(*word);
    g_strfreev(words);
    if (options.description.empty())
        refuse("no pipeline was given");
    return options;
}

/// The kernel kills us when the thread that started us ends, which it does with its process. If
/// that happened before we asked for it, we have another parent by now.
void die_with(pid_t parent)
{
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)
        ::_exit(EXIT_FAILURE);
}

/// The description with the private socket at its end or at its beginning.
std::string full_description(const Options &options)
{
    const auto ipc = [](const char *element, const char *socket) {
        return std::string(element) + " name=" + joint + " mode=connect" +
               " direction=" + JKVM_WORKER_DIRECTION + " dialect=" + JKVM_WORKER_DIALECT +
               " socket-path=" + socket;
    };
    if (options.source != nullptr)
        return options.description + " ! " + ipc("jkvmipcsink", options.source);
    if (options.sink != nullptr)
        return ipc("jkvmipcsrc", options.sink) + " ! " + options.description;
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
    // A description of one element is that element.
    auto pipeline =
        GstRef<GstElement>::adopt(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
    gst_bin_add(GST_BIN(pipeline.get()), element.get());
    return pipeline;
}

class Worker {
public:
    Worker(const Options &options, GstRef<GstElement> pipeline)
        : heart_(options.heartbeat_fd), pipeline_(std::move(pipeline)),
          bus_(GstRef<GstBus>::adopt(gst_element_get_bus(pipeline_.get()))),
          joint_(GstRef<GstElement>::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), joint))),
          is_fed_(options.sink != nullptr), loop_(g_main_loop_new(nullptr, FALSE))
    {
        listen_to_heart();
    }
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;
    ~Worker() { g_main_loop_unref(loop_); }

    /// Until the pipeline ends; the exit status.
    int run();

private:
    void listen_to_heart();
    void end_stream();
    void send_end();
    void start_end_timer(void (*on_end)(Worker &));
    void stop_end_timer();
    void take(GstMessage *message);
    void fail(GstMessage *message);

    Heart heart_;
    GstRef<GstElement> pipeline_;
    GstRef<GstBus> bus_;
    GstRef<GstElement> joint_; // to the parent; null in one that runs by itself
    bool is_fed_;              // by the parent
    GMainLoop *loop_;
    guint end_timer_ = 0; // 0 = not running
    void (*on_end_timer_)(Worker &) = nullptr;
    bool is_end_due_ = false; // once the state has changed
    std::string error_;       // that ended the pipeline
};

/// A pipeline that is fed may have nothing to do for a while. All others have sound, or are told of
/// the gap, all the time: that has to arrive at the parent, or at their ends.
void Worker::listen_to_heart()
{
    if (joint_) {
        const auto pad = GstRef<GstPad>::adopt(
            gst_element_get_static_pad(joint_.get(), is_fed_ ? "src" : "sink"));
        if (is_fed_)
            heart_.beat_while_free(pad.get());
        else
            heart_.beat_with_flow(pad.get());
        return;
    }
    const auto on_sink = [](const GValue *sink, gpointer heart) noexcept {
        const auto on_pad = [](GstElement *, GstPad *pad, gpointer data) noexcept -> gboolean {
            static_cast<Heart *>(data)->beat_with_flow(pad);
            return TRUE;
        };
        gst_element_foreach_sink_pad(GST_ELEMENT(g_value_get_object(sink)), on_pad, heart);
    };
    auto *sinks = gst_bin_iterate_sinks(GST_BIN(pipeline_.get()));
    gst_iterator_foreach(sinks, on_sink, &heart_);
    gst_iterator_free(sinks);
}

/// What the parent has sent is played first: it closes the socket before it asks us to end, and the
/// stream then ends where the socket does. Whoever else asks waits for the time-out, which is many
/// times what the parent keeps for a worker that is behind.
void Worker::end_stream()
{
    if (end_timer_ != 0)
        return; // asked twice
    if (is_fed_) {
        gst_util_set_object_arg(G_OBJECT(joint_.get()), "on-disconnect", "eos");
        GstStructure *stats = nullptr;
        g_object_get(joint_.get(), "stats", &stats, nullptr);
        gboolean is_connected = FALSE;
        gst_structure_get_boolean(stats, "connected", &is_connected);
        gst_structure_free(stats);
        if (is_connected != FALSE)
            return start_end_timer([](Worker &self) { self.send_end(); });
    }
    send_end();
}

/// An end of stream that meets a change of the state would wait for the streaming thread, which
/// waits for that. A pipeline that does not get there has nothing to complete.
void Worker::send_end()
{
    is_end_due_ =
        gst_element_get_state(pipeline_.get(), nullptr, nullptr, 0) == GST_STATE_CHANGE_ASYNC;
    if (is_end_due_)
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
        static_cast<Worker *>(self)->take(message);
        return G_SOURCE_CONTINUE;
    };
    const auto on_signal = [](gpointer self) noexcept -> gboolean {
        static_cast<Worker *>(self)->end_stream();
        return G_SOURCE_CONTINUE;
    };
    const guint watch = gst_bus_add_watch(bus_.get(), on_message, this);
    const guint terminate = g_unix_signal_add(SIGTERM, on_signal, this);
    const guint interrupt = g_unix_signal_add(SIGINT, on_signal, this);
    if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE) {
        g_main_loop_run(loop_);
    } else {
        error_ = "the pipeline does not start";
        if (const auto why =
                GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR)))
            fail(why.get());
    }
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    for (const guint source : {watch, terminate, interrupt})
        g_source_remove(source);
    stop_end_timer();
    if (!error_.empty())
        g_printerr("jkvm-worker: %s\n", error_.c_str());
    return error_.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

void Worker::take(GstMessage *message)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
        g_main_loop_quit(loop_);
        break;
    case GST_MESSAGE_ERROR:
        fail(message);
        break;
    case GST_MESSAGE_STATE_CHANGED:
        if (is_end_due_ && GST_MESSAGE_SRC(message) == GST_OBJECT(pipeline_.get()))
            send_end();
        break;
    case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
        break;
    case GST_MESSAGE_CLOCK_LOST: // a new one is chosen on the way back
        gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED);
        gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
        break;
    default:
        break;
    }
}

void Worker::fail(GstMessage *message)
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
    // GStreamer takes its time to start; the parent may die in it.
    const auto options = parse_options(argc, argv);
    if (options.parent != 0)
        die_with(options.parent);
    // Programs that an element starts get neither the heartbeats ...
    if (options.heartbeat_fd >= 0)
        ::fcntl(options.heartbeat_fd, F_SETFD, FD_CLOEXEC);
    ::signal(SIGPIPE, SIG_IGN); // ... nor do we die of a parent that listens no more
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
