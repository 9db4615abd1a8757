// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that jkvmadaptivequeue decodes packets without its mutex. This program overrides
// opus_decode_float() of libopus.
#include "check/elements/adaptive_queue_harness.h"

#include <dlfcn.h>
#include <opus.h>

#include <functional>
#include <future>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::frame;

std::function<void()> on_decode; // set and called by one thread

class JkvmAdaptiveQueueDecoding : public ::testing::Test {
protected:
    void TearDown() override { on_decode = nullptr; }

    void push()
    {
        queue_.set_time(now_);
        queue_.push(media_);
        queue_.await_rest();
        media_ += frame;
    }
    void run(nanoseconds time)
    {
        for (const auto end = now_ + time; now_ < end; now_ += frame)
            push();
    }

    testing::AdaptiveQueueHarness queue_;
    nanoseconds now_ = 1s;
    nanoseconds media_ = 970ms;
};

TEST_F(JkvmAdaptiveQueueDecoding, LeavesTheQueueAccessible)
{
    std::future<void> reading;
    auto result = std::future_status::deferred;
    on_decode = [&] {
        if (reading.valid())
            return;
        reading = std::async(std::launch::async, [this] {
            guint level = 0;
            g_object_get(queue_.element(), "current-level-buffers", &level, nullptr);
        });
        result = reading.wait_for(10s);
    };
    queue_.set("stats-interval", 0);
    queue_.play();
    run(1s);
    // A delay of 200 ms that does not return, so that dropping quiet frames is considered.
    now_ += 200ms;
    queue_.set_time(now_);
    queue_.push(media_);
    queue_.settle(); // the frame is overdue and pushed immediately
    media_ += frame;
    now_ += frame;
    while (media_ < now_ - 30ms)
        push();
    for (const auto end = now_ + 10min; !reading.valid() && now_ < end; now_ += frame)
        push();
    EXPECT_EQ(result, std::future_status::ready);
}

} // namespace
} // namespace jkvm

// The dynamic linker finds the program's function before that of libopus.
extern "C" __attribute__((visibility("default"))) int opus_decode_float(OpusDecoder *st,
                                                                        const unsigned char *data,
                                                                        opus_int32 len, float *pcm,
                                                                        int frame_size,
                                                                        int decode_fec)
{
    static void *const library = dlopen("libopus.so.0", RTLD_LAZY | RTLD_NOLOAD);
    static const auto real =
        reinterpret_cast<decltype(&opus_decode_float)>(dlsym(library, "opus_decode_float"));
    if (jkvm::on_decode)
        jkvm::on_decode();
    return real(st, data, len, pcm, frame_size, decode_fec);
}
