// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests whether a source notices that nothing listens to any data path downstream of it.
#include "common/demand.h"
#include "support/gst_test.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// A pipeline whose fakesrc "source" asks for the demand. Its sinks a, b and c report it.
class Demand : public ::testing::Test {
protected:
    void make(const std::string &downstream)
    {
        pipeline_ = std::make_unique<testing::Pipeline>("fakesrc name=source ! " + downstream);
        pad_ =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("source"), "src"));
    }
    static GstRef<GstEvent> report(GstElement *sink, guint listeners)
    {
        return GstRef<GstEvent>::adopt(make_demand(sink, listeners));
    }
    void report(const std::string &sink, guint listeners)
    {
        EXPECT_TRUE(demand_.on_event(report(pipeline_->element(sink), listeners).get()));
    }
    [[nodiscard]] bool is_unheard() { return demand_.is_unheard(pad_.get(), now_); }

    std::unique_ptr<testing::Pipeline> pipeline_;
    GstRef<GstPad> pad_;
    DownstreamDemand demand_;
    MonotonicTime now_{1s};
};

TEST_F(Demand, FollowsTheReportsOfTheOnlySink)
{
    make("fakesink name=a");
    EXPECT_FALSE(is_unheard()) << "before the first report";
    report("a", 0);
    EXPECT_TRUE(is_unheard());
    report("a", 2);
    EXPECT_FALSE(is_unheard());
    report("a", 0);
    EXPECT_TRUE(is_unheard());
    demand_.reset();
    EXPECT_FALSE(is_unheard()) << "after a restart";
}

TEST_F(Demand, FollowsEveryBranchOfATee)
{
    make("tee name=t ! queue ! fakesink name=a  t. ! capsfilter ! queue2 ! fakesink name=b");
    report("a", 0);
    EXPECT_FALSE(is_unheard()) << "b has not reported";
    report("b", 1);
    EXPECT_FALSE(is_unheard());
    report("b", 0);
    EXPECT_TRUE(is_unheard());
    report("a", 1);
    EXPECT_FALSE(is_unheard());
}

TEST_F(Demand, FollowsDataIntoBinsAndOutOfThem)
{
    make("( queue ! ( tee name=t ! queue ! fakesink name=a  t. ! queue ) ) ! fakesink name=b");
    report("a", 0);
    EXPECT_FALSE(is_unheard());
    report("b", 0);
    EXPECT_TRUE(is_unheard());
}

TEST_F(Demand, IsAssumedForASinkThatNeverReports)
{
    make("tee name=t ! queue ! fakesink name=a  t. ! queue ! filesink location=/dev/null");
    report("a", 0);
    EXPECT_FALSE(is_unheard());
}

TEST_F(Demand, IsAssumedBehindAnElementThatMayUseTheData)
{
    make("identity ! fakesink name=a");
    report("a", 0);
    EXPECT_FALSE(is_unheard());
}

TEST_F(Demand, IsAssumedWithoutAnySink)
{
    make("queue  fakesink name=a");
    report("a", 0);
    EXPECT_FALSE(is_unheard());
}

TEST_F(Demand, IgnoresBranchesThatAreNotLinked)
{
    make("tee name=t ! queue ! fakesink name=a  t. ! queue");
    report("a", 0);
    EXPECT_TRUE(is_unheard());
}

TEST_F(Demand, NoticesANewBranchByItsReconfigureEvent)
{
    make("tee name=t ! queue ! fakesink name=a  fakesink name=b");
    report("a", 0);
    EXPECT_TRUE(is_unheard());
    ASSERT_TRUE(gst_element_link(pipeline_->element("t"), pipeline_->element("b")));
    EXPECT_TRUE(is_unheard()) << "nothing told the source";
    const auto reconfigure = GstRef<GstEvent>::adopt(gst_event_new_reconfigure());
    EXPECT_TRUE(demand_.on_event(reconfigure.get()));
    EXPECT_FALSE(is_unheard());
}

TEST_F(Demand, NoticesAnUnlinkedBranchWithinASecond)
{
    make("tee name=t ! fakesink name=a  t. ! fakesink name=b");
    report("a", 0);
    EXPECT_FALSE(is_unheard());
    gst_element_unlink(pipeline_->element("t"), pipeline_->element("b"));
    now_ += 999ms;
    EXPECT_FALSE(is_unheard());
    now_ += 1ms;
    EXPECT_TRUE(is_unheard());
}

TEST_F(Demand, ForgetsTheReportOfASinkThatWasUnlinked)
{
    make("tee name=t ! fakesink name=a  t. ! fakesink name=b");
    report("a", 0);
    report("b", 0);
    EXPECT_TRUE(is_unheard());
    gst_element_unlink(pipeline_->element("t"), pipeline_->element("b"));
    now_ += 1s;
    EXPECT_TRUE(is_unheard());
    ASSERT_TRUE(gst_element_link(pipeline_->element("t"), pipeline_->element("b")));
    now_ += 1s;
    EXPECT_FALSE(is_unheard()) << "it may be another sink of that name";
}

TEST_F(Demand, IgnoresReportsThatAreOvertaken)
{
    make("fakesink name=a");
    const auto earlier = report(pipeline_->element("a"), 0);
    const auto later = report(pipeline_->element("a"), 1);
    EXPECT_TRUE(demand_.on_event(later.get()));
    EXPECT_FALSE(demand_.on_event(earlier.get()));
    EXPECT_FALSE(is_unheard());
}

TEST_F(Demand, IgnoresOtherEventsAndMalformedReports)
{
    make("fakesink name=a");
    report("a", 0);
    EXPECT_TRUE(is_unheard());
    const auto flush = GstRef<GstEvent>::adopt(gst_event_new_flush_start());
    EXPECT_FALSE(demand_.on_event(flush.get()));
    EXPECT_FALSE(is_demand(flush.get()));
    const auto malformed = GstRef<GstEvent>::adopt(
        gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                             gst_structure_new(demand_name, "listeners", G_TYPE_INT, 1, nullptr)));
    EXPECT_TRUE(is_demand(malformed.get()));
    EXPECT_FALSE(demand_.on_event(malformed.get()));
    EXPECT_TRUE(is_unheard());
}

} // namespace
} // namespace jkvm
