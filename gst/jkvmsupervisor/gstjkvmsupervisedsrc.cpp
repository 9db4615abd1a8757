// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmsupervisedsrc
 * @title: jkvmsupervisedsrc
 * @short_description: Runs a source in a worker process, and restarts it when it fails
 *
 * Runs the pipeline description launch, whose last element outputs Opus, in a worker process, and
 * outputs the worker's audio. If the worker crashes or hangs because of a driver, a library or an
 * element, the application's pipeline continues: GAP events fill the outage, a message reports it, and
 * the worker is restarted.
 *
 * |[
 * gst-launch-1.0 -e jkvmsupervisedsrc launch="jkvmaudiosrc device=hw:0,0" ! oggmux ! filesink location=a.ogg
 * gst-launch-1.0 jkvmsupervisedsrc launch="alsasrc ! audioconvert ! opusenc" ! opusdec plc=true ! autoaudiosink
 * ]|
 *
 * The first buffer after an outage is marked DISCONT, and its timestamp is that of its capture. After a
 * GAP event at the end of the worker's pipeline, the element sends GAP events until the next buffer; that
 * time does not count as lost. The worker runs in PAUSED and PLAYING. Queries are
 * answered by the element; the event jkvm-encoder-request is forwarded to the worker's encoder. So is the
 * event jkvm-demand: while every data path downstream of the element ends in a jkvmipcsink without
 * listeners, a jkvmaudiosrc in the worker does not encode either.
 *
 * A worker that ended, by a crash, a kill, an error or the end of its stream, is restarted: immediately
 * if it had been healthy, else after restart-delay. It counts as healthy 500 ms after its first
 * heartbeat. The delay doubles with each further early end in a row, up to max-restart-delay. When
 * max-restarts is reached within restart-window, the element posts an error with the last exit reason
 * and the last lines of the worker's error output. With on-failure=silence it continues without a
 * worker and retries every max-restart-delay. A launch line that cannot be parsed is an error at once,
 * with the message of the parser.
 *
 * Stopping the pipeline sends SIGTERM to the worker, which becomes an end of stream in its pipeline,
 * and kills it after stop-timeout. Core dumps
 * that take longer than hang-timeout are truncated.
 *
 * A heartbeat proves that audio flows: a buffer or a GAP event has arrived at the end of the worker's
 * pipeline. A worker that sends none for hang-timeout is killed and restarted, whether it is stopped,
 * its streaming thread is blocked, or its source outputs nothing. A source that may be silent for
 * longer without sending GAP events needs a longer hang-timeout, or 0. Before its first heartbeat a
 * worker has at least 10 s.
 *
 * ## Elements of the worker
 *
 * The elements of the launch line are children of the element (GstChildProxy) in addition to ipc. Each
 * is represented by an object of this process with the same name and the properties that can be expressed
 * as text; elements without a name in the launch line are numbered from 0: jkvmaudiosrc0. A value that is
 * set applies to the running worker, as soon as that can handle it, and to every later one before its
 * pipeline starts; values that the elements do not accept are ignored. A value that is read is the last
 * one that the worker has reported: at once after a notification, else within a second. A notification
 * in the worker is one here, emitted by a thread of the element; its handler may stop the element, but
 * not start it again. jkvmmetrics serves the statistics of these children.
 *
 * |[
 * gst-launch-1.0 jkvmsupervisedsrc launch="jkvmaudiosrc name=a device=hw:0,0" a::quality=high ! oggmux ! filesink location=a.ogg
 * ]|
 *
 * When launch changes in PAUSED or PLAYING, the worker is stopped as if the pipeline was, and another one
 * is started with the new line; jkvm-child reports it with the reason replaced. The children are then
 * those of the new line, with none of the values that were set. The launch line is also parsed in this
 * process, but none of its elements is started here. If one is not installed here, there are no children.
 *
 * ## The worker
 *
 * The worker is the program jkvm-worker in the directory for helper programs (libexecdir) or, if it is
 * not there, in the directory of the plugin. The environment variable JKVM_WORKER overrides its path. If
 * the program cannot be executed, the element posts an error at once.
 *
 * The worker inherits the application's working directory, standard output and environment, with these
 * exceptions:
 *
 * * NOTIFY_SOCKET, WATCHDOG_PID and WATCHDOG_USEC are removed.
 * * GST_DEBUG_FILE is removed unless it contains %p, because the worker would truncate the
 *   application's log.
 * * The tracer jkvmmetrics is removed from GST_TRACERS, because its port is in use.
 * * GST_REGISTRY_UPDATE=no is added unless the variable is set, so that the worker starts quickly with
 *   the plugin registry of the application. It does not know plugins that only the application has
 *   loaded, with --gst-plugin-path or from its own code.
 *
 * No other descriptor of the application is open in the worker. Its standard error is forwarded to that
 * of the application as long as this does not block. It runs in a process group of its own, so that
 * Ctrl-C ends the application, which then ends the worker; other processes of that group are killed
 * with it. The worker dies with the application, even if that is killed. A killed worker that is
 * blocked in the kernel is abandoned after 2 s.
 *
 * The two processes are connected by an abstract Unix socket with the JetKVM audio protocol, which only
 * the worker may connect to. The element inside the bin, named ipc, is a jkvmipcsrc; its own messages
 * and statistics describe the link.
 *
 * ## Statistics
 *
 * The property stats is a structure application/x-jkvm-supervisedsrc-stats with these fields. Counters
 * never decrease while the element is in PAUSED or PLAYING, and remain readable afterwards.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | running | gboolean | whether a worker is running |
 * | pid | gint | process id of the worker; 0 = none |
 * | restarts | guint64 | workers started after the first |
 * | exits | guint64 | workers that exited |
 * | kills | guint64 | workers ended by a signal that the element did not send: crashes, and kills by other processes |
 * | hangs | guint64 | workers killed because they sent no heartbeat |
 * | failures | guint64 | workers that could not be started, or could not run the launch line |
 * | heartbeats | guint64 | heartbeats received from all workers |
 * | last-exit | gchararray | how the last worker ended; empty at first, "stopped" after a deliberate stop |
 * | cpu-percent | gdouble | processor time of the worker during the last second; 100 = one core continuously busy |
 * | rss | guint64 | resident memory of the worker (bytes) |
 * | vms | guint64 | address space of the worker (bytes) |
 * | messages | guint64 | messages of the worker's elements posted on the bus |
 * | messages-dropped | guint64 | messages of the worker's elements that were not posted, because there were too many |
 *
 * ## Messages
 *
 * The messages of the worker's elements appear on the bus as messages of this element. An element
 * message has the additional field element (gchararray), the name of the element that posted it. A
 * warning or information has it in its details, with the field severity (gchararray: error, warning or
 * info). An error is posted as a warning with severity error, because the worker that it ends is
 * restarted. At most 20 element messages a second are posted on average, and 100 at once, and as many
 * warnings and informations; the rest is dropped and counted.
 *
 * The element message jkvm-child reports every start and end of a worker. It is not rate-limited,
 * because the limits of restarts bound its rate. This message and the error at the limit are posted
 * from a thread of the element. A sync handler must not change the element's state;
 * gst_element_call_async() can be used instead.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | reason | gchararray | started; exited; killed = ended by a signal; hang = sent no heartbeat and was killed; replaced = stopped because launch has changed; failed = could not be started, or could not run the launch line |
 * | pid | gint | process id of the worker; 0 if none was created |
 * | exit-status | gint | returned status; 0 if a signal ended the worker. Absent with reason started, as are all following fields |
 * | signal | gint | signal that ended the worker; 0 = none |
 * | detail | gchararray | how the worker ended, in words |
 * | errors | gchararray | last ten lines of the worker's error output |
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmsupervisedsrc.h"

#include "common/element_type.h"
#include "common/open_in_ready.h"
#include "supervised_bin.h"

struct _GstJkvmSupervisedSrc {
    GstBin parent;
};

namespace {

class SupervisedSrc final : public jkvm::SupervisedBin {
public:
    explicit SupervisedSrc(GstJkvmSupervisedSrc *element)
        : SupervisedBin(GST_ELEMENT(element), Side::source)
    {}
};

} // namespace

JKVM_DEFINE_ELEMENT(GstJkvmSupervisedSrc, gst_jkvm_supervised_src, GST_TYPE_BIN, SupervisedSrc)

static void gst_jkvm_supervised_src_configure_class(GstJkvmSupervisedSrcClass *klass)
{
    auto *element_class = GST_ELEMENT_CLASS(klass);
    SupervisedSrc::configure_class(
        element_class, SupervisedSrc::Side::source, "Supervised source",
        "Runs a source in a worker process, and restarts it when it fails");
    G_OBJECT_CLASS(klass)->dispose = [](GObject *self) noexcept {
        impl(self).dispose();
        G_OBJECT_CLASS(gst_jkvm_supervised_src_parent_class)->dispose(self);
    };
    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return jkvm::open_in_ready(impl(self), gst_jkvm_supervised_src_parent_class, self,
                                   transition);
    };
}

void gst_jkvm_supervised_src_add_interfaces()
{
    jkvm::add_child_proxy<impl>(GST_TYPE_JKVM_SUPERVISED_SRC);
}
