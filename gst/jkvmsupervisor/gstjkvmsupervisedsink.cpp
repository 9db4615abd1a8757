// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmsupervisedsink
 * @title: jkvmsupervisedsink
 * @short_description: runs a sink in a process of its own, and keeps it running
 *
 * Runs the pipeline description launch, whose first element takes Opus, in a worker process, and sends
 * it what arrives. A crash or a hang of the worker (of a driver, a library, an element) never stops or
 * delays the application's pipeline: the sound of the time between is lost, there is a message, and a
 * restart.
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc direction=microphone ! jkvmsupervisedsink launch="opusdec plc=true ! audioconvert ! audioresample ! alsasink device=hw:1,0"
 * gst-launch-1.0 audiotestsrc is-live=true ! opusenc ! jkvmsupervisedsink launch="opusdec ! audioconvert ! autoaudiosink"
 * ]|
 *
 * The worker's pipeline has a clock and a start of its own; its first element finds DISCONT buffers and
 * GAP events as behind jkvmipcsrc. It runs from PAUSED on. This sink does not wait for a clock, so it is
 * for live sound: what comes while no worker listens, at the start too, is lost, and counted (unheard in
 * the statistics of the element ipc). The end of the stream does not wait for the worker, but stopping
 * does: what was sent is played, and files are completed.
 *
 * When the worker ends, by a crash, a kill, an error or the end of its stream, it is started again: at
 * once if it had lived, after restart-delay if it died young (within half a second of its first
 * heartbeat) or could not be started, and after twice as long for each further one in a row, up to
 * max-restart-delay. After max-restarts in restart-window the element posts an error with the last
 * exit reason and the last lines of the worker's error output; with on-failure=silence it goes on
 * without a worker and tries again every max-restart-delay, for ever. A launch line that cannot be
 * parsed is such a failure at once, with the parser's own words. Stopping the pipeline asks the worker
 * to end (SIGTERM, which becomes an end of stream in its pipeline) and kills it after stop-timeout. A
 * new worker begins from nothing: a filesink in it begins its file anew.
 *
 * A heartbeat proves that the worker's streaming thread is free: it waits for sound, or it has come back
 * from handing some on. So a worker with nothing to play is not hung; one that is stopped, or whose
 * device or sink does not take any more, is. A worker without a heartbeat for hang-timeout is killed
 * and started again. Until its first one it has 10 s.
 *
 * ## The worker
 *
 * The worker is the program jkvm-worker of the directory for helper programs (libexecdir); the
 * environment variable JKVM_WORKER names another one. It has the application's working directory,
 * standard output and environment, but for NOTIFY_SOCKET, WATCHDOG_PID and WATCHDOG_USEC, which it
 * does not get, GST_DEBUG_FILE, which it gets only with %p in it (else it would begin the application's
 * log anew), and GST_REGISTRY_UPDATE=no, unless that is set: it uses the plugin registry as the
 * application left it, which makes it start quickly. Plugins that the application alone knows of (by
 * --gst-plugin-path, or registered by itself) are not known to it. No other descriptor of the application is
 * open in it. What it writes to its standard error appears on the application's, unless nobody reads that.
 * It runs in a process group of its own, so a Ctrl-C ends the application, which then ends the worker; what
 * is left of the group then is killed. It dies with the application, also when that is killed. One that
 * was killed and does not die, because it waits in the kernel for a device, is left alone after 2 s.
 *
 * The private socket between the two is an abstract one of the JetKVM protocol, and lets nobody in but
 * the worker. The element inside, called ipc, is a jkvmipcsink; its own messages and statistics
 * tell of the link.
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-supervisedsink-stats in the property stats has these fields.
 * Counters only grow while the element is in PAUSED or PLAYING, and stay readable after.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | running | gboolean | whether a worker runs now |
 * | pid | gint | its process id; 0 = none runs |
 * | restarts | guint64 | workers started after the first |
 * | exits | guint64 | workers that ended by themselves |
 * | kills | guint64 | workers that a signal ended which was not ours: crashes, and kills by others |
 * | hangs | guint64 | workers that were killed because they gave no heartbeat |
 * | failures | guint64 | workers that could not be started, or could not run the launch line |
 * | heartbeats | guint64 | received, over all workers |
 * | last-exit | gchararray | how the last one ended; empty at first, "stopped" after a deliberate stop |
 * | cpu-percent | gdouble | processor time of the worker over the last second; 100 = one core all of the time |
 * | rss | guint64 | memory that it has, bytes |
 * | vms | guint64 | address space that it has, bytes |
 *
 * ## Messages
 *
 * The element message jkvm-child says what becomes of the workers; none is held back, since the limits
 * of restarts limit them too. It comes from a thread of the element, and so does the error at the limit.
 * A handler must not change the element's state there; gst_element_call_async() can.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | reason | gchararray | started; exited = ended by itself; killed = by a signal; hang = gave no heartbeat and was killed; failed = could not be started, or cannot run the launch line |
 * | pid | gint | of the worker; 0 if there never was one |
 * | exit-status | gint | that it returned; 0 when a signal ended it. Not with started, like all that follow |
 * | signal | gint | that ended it; 0 = none |
 * | detail | gchararray | how it ended, in words |
 * | errors | gchararray | the last ten lines of its error output |
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmsupervisedsink.h"

#include "common/element_type.h"
#include "common/open_in_ready.h"
#include "supervised_bin.h"

struct _GstJkvmSupervisedSink {
    GstBin parent;
};

namespace {

class SupervisedSink final : public jkvm::SupervisedBin {
public:
    explicit SupervisedSink(GstJkvmSupervisedSink *element)
        : SupervisedBin(GST_ELEMENT(element), Side::sink)
    {}
};

} // namespace

JKVM_DEFINE_ELEMENT(GstJkvmSupervisedSink, gst_jkvm_supervised_sink, GST_TYPE_BIN, SupervisedSink)

static void gst_jkvm_supervised_sink_configure_class(GstJkvmSupervisedSinkClass *klass)
{
    auto *element_class = GST_ELEMENT_CLASS(klass);
    SupervisedSink::configure_class(element_class, SupervisedSink::Side::sink, "Supervised sink",
                                    "Runs a sink in a process of its own, and keeps it running");
    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return jkvm::open_in_ready(impl(self), gst_jkvm_supervised_sink_parent_class, self,
                                   transition);
    };
}
