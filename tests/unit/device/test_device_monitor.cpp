// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_monitor.h"

#include "support/fake_device_source.h"

#include <gtest/gtest.h>

#include <condition_variable>

namespace jkvm {
namespace {

using testing::FakeDeviceSource;

/// Records the calls as "+id", "-id" and "~id".
class RecordingHost final : public DeviceMonitor::Host {
public:
    void on_added(const AudioDevice &device) override { record("+" + device.id, device); }
    void on_removed(const AudioDevice &device) override { record("-" + device.id, device); }
    void on_changed(const AudioDevice &device) override { record("~" + device.id, device); }

    /// Waits for that number of calls and returns all of them.
    std::vector<std::string> wait_for(std::size_t count)
    {
        auto calls = calls_.lock();
        calls.wait(called_, [&] { return calls->size() >= count; });
        return *calls;
    }
    [[nodiscard]] AudioDevice last() const { return last_.snapshot(); }

private:
    void record(std::string call, const AudioDevice &device)
    {
        *last_.lock() = device;
        calls_.lock()->push_back(std::move(call));
        called_.notify_all();
    }

    Guarded<std::vector<std::string>> calls_;
    Guarded<AudioDevice> last_;
    std::condition_variable called_;
};

using Calls = std::vector<std::string>;

AudioDevice make_device(const std::string &id)
{
    return {.id = id, .card = {id, "Card " + id, 0}, .property = "Card " + id};
}

class DeviceMonitorTest : public ::testing::Test {
protected:
    FakeDeviceSource source_;
    RecordingHost host_;
    DeviceMonitor monitor_{source_, host_};
};

TEST_F(DeviceMonitorTest, ReportsPresentDevicesBeforeStartReturns)
{
    source_.plug_in(make_device("a"));
    source_.plug_in(make_device("b"));
    ASSERT_TRUE(monitor_.start());
    EXPECT_EQ(host_.wait_for(0), (Calls{"+a", "+b"}));
    EXPECT_EQ(host_.last().formats, FakeDeviceSource::formats);
}

TEST_F(DeviceMonitorTest, ReportsDevicesThatArePluggedInAndOut)
{
    source_.plug_in(make_device("a"));
    ASSERT_TRUE(monitor_.start());
    source_.plug_in(make_device("b"));
    EXPECT_EQ(host_.wait_for(2), (Calls{"+a", "+b"}));
    source_.unplug("a");
    EXPECT_EQ(host_.wait_for(3), (Calls{"+a", "+b", "-a"}));
    source_.plug_in(make_device("a"));
    EXPECT_EQ(host_.wait_for(4), (Calls{"+a", "+b", "-a", "+a"}));
}

TEST_F(DeviceMonitorTest, QueriesTheFormatsOfABusyDeviceAgain)
{
    source_.set_busy(true);
    source_.plug_in(make_device("a"));
    ASSERT_TRUE(monitor_.start());
    EXPECT_FALSE(host_.last().formats);
    source_.set_busy(false);
    source_.plug_in(make_device("b"));
    EXPECT_EQ(host_.wait_for(3), (Calls{"+a", "~a", "+b"}));
    EXPECT_EQ(host_.last().formats, FakeDeviceSource::formats);
}

TEST_F(DeviceMonitorTest, OpensADeviceOnlyUntilItsFormatsAreKnown)
{
    source_.plug_in(make_device("a"));
    ASSERT_TRUE(monitor_.start());
    source_.plug_in(make_device("b"));
    (void)host_.wait_for(2);
    monitor_.stop();
    EXPECT_EQ(source_.queries(), 2U);
}

TEST_F(DeviceMonitorTest, QueriesTheFormatsOfAnotherCardAtTheSamePort)
{
    auto before = make_device("a");
    before.formats = DeviceFormats{};
    auto after = make_device("a");
    after.card.name = "another";
    source_.plug_in(after);
    EXPECT_EQ(list_with_formats(source_, {before}).at(0).formats, FakeDeviceSource::formats);
}

TEST_F(DeviceMonitorTest, ReportsNothingWhileStopped)
{
    ASSERT_TRUE(monitor_.start());
    monitor_.stop();
    source_.plug_in(make_device("a"));
    EXPECT_EQ(host_.wait_for(0), Calls{});
    ASSERT_TRUE(monitor_.start());
    EXPECT_EQ(host_.wait_for(0), Calls{"+a"});
}

} // namespace
} // namespace jkvm
