// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the messages of a worker's elements appear on the application's bus, and that a worker
// that has gone wrong does no harm.
#include "supervised_source.h"
#include "support/temporary_directory.h"

#include "core/base/time.h"

#include <sys/stat.h>

#include <fstream>

namespace jkvm {
namespace {

using testing::stat;
using testing::text_field;

class JkvmSupervisedMessages : public testing::SupervisedSource {
protected:
    /// Replaces the worker program by a Python script with the socket `control`. It sends
    /// heartbeats after `before`, and then repeats `loop`.
    void replace_worker(const std::string &before, const std::string &loop = "time.sleep(0.1)")
    {
        const auto path = directory_.file("worker");
        std::ofstream(path) << "#!/usr/bin/python3\n"
                               "import os, socket, time\n"
                               "control = socket.socket(fileno=4)\n"
                            << before << "\nwhile True:\n    os.write(3, b'x')\n    " << loop
                            << "\n";
        ::chmod(path.c_str(), 0700);
        worker_.emplace(path);
    }

private:
    /// Sets the environment variable JKVM_WORKER and restores it.
    class WorkerVariable {
    public:
        explicit WorkerVariable(const std::string &path) : before_(g_getenv("JKVM_WORKER"))
        {
            g_setenv("JKVM_WORKER", path.c_str(), TRUE);
        }
        WorkerVariable(const WorkerVariable &) = delete;
        WorkerVariable &operator=(const WorkerVariable &) = delete;
        ~WorkerVariable() { g_setenv("JKVM_WORKER", before_.c_str(), TRUE); }

    private:
        std::string before_;
    };
    testing::TemporaryDirectory directory_;
    std::optional<WorkerVariable> worker_;
};

TEST_F(JkvmSupervisedMessages, ReportTheStateOfADeviceInTheWorker)
{
    play("jkvmaudiosrc name=a device=jkvm_no_such_device");
    const auto message = pipeline_->wait_for_element_message("jkvm-device", "missing");
    ASSERT_TRUE(message);
    EXPECT_EQ(GST_MESSAGE_SRC(message.get()), GST_OBJECT(element_));
    EXPECT_EQ(text_field(message, "element"), "a");
    EXPECT_EQ(text_field(message, "device"), "jkvm_no_such_device");
}

TEST_F(JkvmSupervisedMessages, ContainTheStatisticsOfTheWorkersElements)
{
    play("jkvmaudiosrc name=a device=jkvm_no_such_device stats-interval=20");
    for (int i = 0; i < 2; ++i) {
        const auto message =
            pipeline_->wait_for_element_message("application/x-jkvm-audiosrc-stats");
        ASSERT_TRUE(message);
        EXPECT_EQ(text_field(message, "element"), "a");
    }
    EXPECT_GE(stat(element_, "messages"), 2u);
}

TEST_F(JkvmSupervisedMessages, ReportAnErrorInTheWorkerAsAWarningBeforeItsEnd)
{
    play("jkvmaudiosrc name=a on-device-lost=error device=jkvm_no_such_device", "max-restarts=0");
    const auto warning = pipeline_->wait_for(GST_MESSAGE_WARNING);
    ASSERT_TRUE(warning);
    EXPECT_EQ(GST_MESSAGE_SRC(warning.get()), GST_OBJECT(element_));
    GError *error = nullptr;
    gst_message_parse_warning(warning.get(), &error, nullptr);
    EXPECT_TRUE(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND));
    EXPECT_STREQ(error->message,
                 "Could not open audio device \"jkvm_no_such_device\": no such device.");
    g_error_free(error);
    const GstStructure *details = nullptr;
    gst_message_parse_warning_details(warning.get(), &details);
    ASSERT_NE(details, nullptr);
    EXPECT_STREQ(gst_structure_get_string(details, "element"), "a");
    wait_for("exited");
}

TEST_F(JkvmSupervisedMessages, IncludeAnErrorAfterManyElementMessages)
{
    replace_worker("for i in range(200): control.send(b'\\1Ma\\0level;\\0')\n"
                   "control.send(b'\\1Da\\0error\\0gst-core-error-quark\\0001\\0text\\0why\\0')");
    play("fakesrc");
    EXPECT_TRUE(pipeline_->wait_for(GST_MESSAGE_WARNING));
    EXPECT_GT(stat(element_, "messages-dropped"), 0u);
}

TEST_F(JkvmSupervisedMessages, AreLimitedIfTheWorkerFloods)
{
    replace_worker("", "control.send(b'\\1Ma\\0flood, n=(int)1;\\0')");
    const auto begin = monotonic_now();
    play("fakesrc");
    while (stat(element_, "messages-dropped") < 1000) {
        ASSERT_LT(monotonic_now() - begin, testing::wait_timeout);
        g_usleep(1000);
    }
    const auto posted = static_cast<double>(stat(element_, "messages"));
    const std::chrono::duration<double> elapsed = monotonic_now() - begin;
    EXPECT_LE(posted, 100 + 20 * elapsed.count() + 1);
    EXPECT_EQ(stat(element_, "restarts"), 0u);
}

TEST_F(JkvmSupervisedMessages, AreIgnoredAfterNonsenseWithAWarning)
{
    replace_worker("control.send(b'nonsense')");
    play("fakesrc");
    const auto warning = pipeline_->wait_for(GST_MESSAGE_WARNING);
    ASSERT_TRUE(warning);
    EXPECT_EQ(GST_MESSAGE_SRC(warning.get()), GST_OBJECT(element_));
    const auto heartbeats = stat(element_, "heartbeats");
    const auto deadline = monotonic_now() + testing::wait_timeout;
    while (stat(element_, "heartbeats") < heartbeats + 3) {
        ASSERT_LT(monotonic_now(), deadline);
        g_usleep(1000);
    }
    EXPECT_EQ(stat(element_, "restarts"), 0u);
}

TEST_F(JkvmSupervisedMessages, AreCountedIfTheyCannotBeUnderstood)
{
    replace_worker("control.send(b'\\1Ma\\0<<<<\\0'); control.send(b'\\1D\\0'); "
                   "control.send(b'\\1Ma\\0good;\\0')");
    play("fakesrc");
    EXPECT_TRUE(pipeline_->wait_for_element_message("good"));
    EXPECT_EQ(stat(element_, "messages-dropped"), 2u);
    EXPECT_EQ(stat(element_, "messages"), 1u);
}

} // namespace
} // namespace jkvm
