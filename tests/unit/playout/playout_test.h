// SPDX-License-Identifier: LGPL-2.1-or-later
// Fixture of the tests of Playout.
#pragma once

#include "core/playout/playout.h"
#include "playout/no_load.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace jkvm {

/// Runs the engine on simulated time and logs its actions, in milliseconds.
class PlayoutTest : public ::testing::Test {
protected:
    PlayoutTest()
    {
        config_.policy = PolicyKind::fixed;
        config_.drift_mode = DriftMode::frames;
        config_.fixed.delay = std::chrono::milliseconds(40);
        configure();
    }

    void configure() { playout_.configure(config_, now_); }

    static PlayoutFrame frame(nanoseconds media_time)
    {
        return {media_time, std::chrono::milliseconds(20), std::chrono::microseconds(2500), false};
    }

    /// Runs until `time`, then queues the frame. Returns the number of frames that overflowed.
    std::size_t arrive(nanoseconds time, const PlayoutFrame &frame)
    {
        run_until(time);
        now_ = time;
        return queue(frame, time);
    }
    std::size_t queue(PlayoutFrame frame, nanoseconds time)
    {
        frame.handle = next_handle_++;
        playout_.arrive(frame, time);
        std::size_t overflowed = 0;
        for (; const auto handle = playout_.drop_overflow(); ++overflowed)
            EXPECT_EQ(*handle, oldest_handle_++);
        return overflowed;
    }
    std::size_t arrive(nanoseconds time, nanoseconds media_time)
    {
        return arrive(time, frame(media_time));
    }
    /// Queues `count` frames, each `transit` after its media time.
    void arrive_evenly(nanoseconds first_media_time, int count,
                       nanoseconds transit = nanoseconds(0))
    {
        for (int i = 0; i < count; ++i)
            arrive(first_media_time + i * std::chrono::milliseconds(20) + transit,
                   first_media_time + i * std::chrono::milliseconds(20));
    }

    /// Excludes actions at `time` itself.
    void run_until(nanoseconds time)
    {
        while (now_ < time) {
            const auto action = playout_.next(now_);
            if (const auto *wait = std::get_if<Playout::Wait>(&action))
                now_ = std::min(wait->until, time);
            else if (std::holds_alternative<Playout::End>(action))
                return;
            else
                write(action);
        }
    }
    void finish()
    {
        playout_.finish();
        for (;;) {
            const auto action = playout_.next(now_);
            if (std::holds_alternative<Playout::End>(action))
                return;
            ASSERT_FALSE(std::holds_alternative<Playout::Wait>(action));
            write(action);
        }
    }
    /// Actions since the previous call.
    std::string log()
    {
        auto text = log_.str();
        log_.str("");
        return text;
    }

    PlayoutConfig config_;
    NoLoad load_;
    Playout playout_{config_, load_};
    nanoseconds now_{0};
    std::uint64_t next_handle_ = 0;
    std::uint64_t oldest_handle_ = 0; // of the frames that were neither played nor dropped

private:
    void write(const Playout::Action &action)
    {
        if (const auto *play = std::get_if<Playout::Play>(&action)) {
            EXPECT_EQ(play->handle, oldest_handle_++);
            log_ << (play->is_first ? "FIRST " : "") << "play " << milliseconds_of(play->media_time)
                 << " at " << milliseconds_of(play->output_time) << "; ";
        } else if (const auto *conceal = std::get_if<Playout::Conceal>(&action))
            log_ << "conceal " << milliseconds_of(conceal->duration) << " at "
                 << milliseconds_of(conceal->output_time) << "; ";
        else if (const auto *drop = std::get_if<Playout::Drop>(&action)) {
            EXPECT_EQ(drop->handle, oldest_handle_++);
            log_ << (drop->reason == Playout::DropReason::late     ? "drop late; "
                     : drop->reason == Playout::DropReason::shrink ? "drop shrink; "
                                                                   : "drop max-delay; ");
        }
    }

    std::ostringstream log_;
};

} // namespace jkvm
