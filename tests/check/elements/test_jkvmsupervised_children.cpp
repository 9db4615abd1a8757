// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the elements in a worker are accessible through GstChildProxy, and that the launch
// line can change while the worker runs.
#include "supervised_source.h"

#include "core/base/time.h"

#include <atomic>
#include <csignal>
#include <string>

namespace jkvm {
namespace {

using testing::immediate_restarts;
using testing::number_field;
using testing::stat;

constexpr const char *line = "audiotestsrc is-live=true samplesperbuffer=960 name=a ! opusenc";

/// Counts the notifications of a property.
class Notifications {
public:
    Notifications(GObject *object, const char *property) : object_(object)
    {
        const auto count = +[](GObject *, GParamSpec *, gpointer counter) noexcept {
            ++*static_cast<std::atomic<int> *>(counter);
        };
        handler_ = g_signal_connect(object, (std::string("notify::") + property).c_str(),
                                    G_CALLBACK(count), &count_);
    }
    Notifications(const Notifications &) = delete;
    Notifications &operator=(const Notifications &) = delete;
    ~Notifications() { g_signal_handler_disconnect(object_, handler_); }
    [[nodiscard]] int count() const { return count_; }

private:
    GObject *object_;
    std::atomic<int> count_{0};
    gulong handler_;
};

class JkvmSupervisedChildren : public testing::SupervisedSource {
protected:
    /// As play(), but does not start the pipeline.
    void make(const std::string &launch)
    {
        pipeline_.emplace("jkvmsupervisedsrc name=s launch=\"" + launch + "\" " +
                          immediate_restarts + " ! appsink name=sink sync=false");
        element_ = pipeline_->element("s");
        sink_ = GST_APP_SINK(pipeline_->element("sink"));
    }
    GstRef<GstObject> child(const char *name)
    {
        return GstRef<GstObject>::adopt(reinterpret_cast<GstObject *>(
            gst_child_proxy_get_child_by_name(GST_CHILD_PROXY(element_), name)));
    }
    template <typename T>
    T get(const char *property)
    {
        T value{};
        gst_child_proxy_get(GST_CHILD_PROXY(element_), property, &value, nullptr);
        return value;
    }
    /// Returns the number of channels of the next frame; 0 if there is none.
    gint pull_channels()
    {
        const auto sample = pull();
        gint channels = 0;
        if (sample)
            gst_structure_get_int(gst_caps_get_structure(gst_sample_get_caps(sample.get()), 0),
                                  "channels", &channels);
        return channels;
    }
    template <typename Condition>
    void wait_until(Condition condition)
    {
        const auto deadline = monotonic_now() + testing::wait_timeout;
        while (!condition()) {
            ASSERT_LT(monotonic_now(), deadline);
            g_usleep(1000);
        }
    }
};

TEST_F(JkvmSupervisedChildren, AreNamedAndValuedAsInTheLaunchLine)
{
    make("audiotestsrc freq=1234 ! audioconvert ! opusenc name=coder bitrate=48000");
    EXPECT_EQ(get<gdouble>("audiotestsrc0::freq"), 1234);
    EXPECT_EQ(get<gint>("coder::bitrate"), 48000);
    EXPECT_TRUE(child("audioconvert0"));
    EXPECT_TRUE(child("ipc")) << "the bin's own child";
    EXPECT_FALSE(child("jkvm-link"));
}

TEST_F(JkvmSupervisedChildren, AreNamedAsInTheWorkerInASecondElement)
{
    make("audiotestsrc ! opusenc");
    make("audiotestsrc ! opusenc");
    EXPECT_TRUE(child("audiotestsrc0"));
    EXPECT_TRUE(child("opusenc0"));
}

TEST_F(JkvmSupervisedChildren, AreAbsentIfTheLaunchLineIsInvalid)
{
    make("no-such-element");
    EXPECT_EQ(gst_child_proxy_get_children_count(GST_CHILD_PROXY(element_)), 1u);
}

TEST_F(JkvmSupervisedChildren, HaveValuesThatWereSetBeforeTheStartInEachWorker)
{
    make("audiotestsrc is-live=true ! capsfilter name=c caps=audio/x-raw,channels=2 ! opusenc");
    const auto mono = GstRef<GstCaps>::adopt(gst_caps_from_string("audio/x-raw,channels=1"));
    gst_child_proxy_set(GST_CHILD_PROXY(element_), "c::caps", mono.get(), nullptr);
    pipeline_->play();
    for (int i = 0; i < 3; ++i) {
        const auto pid = wait_for_start();
        for (bool is_new = i == 0; !is_new;) { // not a frame of the previous worker
            const auto sample = pull();
            ASSERT_TRUE(sample);
            is_new = GST_BUFFER_IS_DISCONT(gst_sample_get_buffer(sample.get())) != FALSE;
        }
        EXPECT_EQ(pull_channels(), 1);
        ::kill(pid, SIGKILL);
        wait_for("killed");
    }
}

TEST_F(JkvmSupervisedChildren, ReportChangesInTheWorker)
{
    // The source posts statistics of the worker's own element, which no shadow has.
    play("jkvmaudiosrc name=a device=jkvm_no_such_device");
    wait_until([this] {
        GstStructure *stats = nullptr;
        gst_child_proxy_get(GST_CHILD_PROXY(element_), "a::stats", &stats, nullptr);
        guint64 frames = 0;
        gst_structure_get_uint64(stats, "frames", &frames);
        gst_structure_free(stats);
        return frames > 0;
    });
}

TEST_F(JkvmSupervisedChildren, NotifyOfAPropertyThatChangesInTheWorker)
{
    play("jkvmaudiosrc name=a device=jkvm_no_such_device quality=high");
    expect_audio(1);
    const auto a = child("a");
    ASSERT_TRUE(a);
    const auto before = get<gint>("a::bitrate");
    // The preset, which only the worker applies, determines the bitrate.
    const Notifications notifications(G_OBJECT(a.get()), "bitrate");
    gst_util_set_object_arg(G_OBJECT(a.get()), "quality", "low");
    wait_until([&] { return notifications.count() > 0; });
    EXPECT_LT(get<gint>("a::bitrate"), before);
}

TEST_F(JkvmSupervisedChildren, MayStopThePipelineInAHandlerOfTheirNotification)
{
    play("jkvmaudiosrc name=a device=jkvm_no_such_device quality=high");
    expect_audio(1);
    struct Context {
        GstElement *pipeline;
        std::atomic<bool> is_called{false};
        std::atomic<bool> has_stopped{false};
    } context{.pipeline = pipeline_->get()};
    const auto stop = +[](GObject *, GParamSpec *, gpointer data) noexcept {
        auto &self = *static_cast<Context *>(data);
        if (self.is_called.exchange(true))
            return;
        gst_element_set_state(self.pipeline, GST_STATE_NULL);
        self.has_stopped = true;
    };
    const auto a = child("a");
    ASSERT_TRUE(a);
    g_signal_connect(a.get(), "notify::bitrate", G_CALLBACK(stop), &context);
    gst_util_set_object_arg(G_OBJECT(a.get()), "quality", "low");
    wait_until([&] { return context.has_stopped.load(); });
    pipeline_->play();
    expect_audio(1);
    pipeline_.reset();
}

TEST_F(JkvmSupervisedChildren, IgnoreAValueThatIsSetAfterTheElementIsGone)
{
    make(line);
    const auto a = child("a");
    pipeline_.reset();
    g_object_set(a.get(), "freq", 5.0, nullptr);
}

TEST_F(JkvmSupervisedChildren, AreReplacedWithTheWorkerWhenTheLaunchLineChanges)
{
    play(line);
    expect_audio(1);
    const auto first = wait_for_start();
    g_object_set(element_, "launch",
                 "audiotestsrc is-live=true name=b ! audio/x-raw,channels=1 ! opusenc", nullptr);
    EXPECT_EQ(number_field(wait_for("replaced"), "pid"), first);
    wait_for_start();
    gint channels = 0;
    while (channels != 1) {
        channels = pull_channels();
        ASSERT_GT(channels, 0) << "no audio";
    }
    EXPECT_FALSE(child("a"));
    EXPECT_TRUE(child("b"));
    EXPECT_EQ(stat(element_, "exits") + stat(element_, "kills"), 0u);
}

} // namespace
} // namespace jkvm
