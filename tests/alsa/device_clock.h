// SPDX-License-Identifier: LGPL-2.1-or-later
// The clock of the virtual devices: how many frames they have captured or played by a given time.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace jkvm::testing {

/// Two counts are kept apart. The *content position* is where the source is; it advances from
/// the first start on, also while the stream is stopped, suspended or in an xrun. The *frames* are
/// what the stream has delivered since its last start. Their difference is what was lost.
///
/// Every time is CLOCK_MONOTONIC in nanoseconds, given by the caller, and must not run backwards.
/// Not thread-safe; its owner locks.
class DeviceClock {
public:
    static constexpr int64_t never = std::numeric_limits<int64_t>::max();

    /// A source this many times faster than the stream's rate is free-running: it waits for the
    /// reader instead of overrunning it.
    static constexpr double free_running = 8.0;

    /// The rate negotiated for the stream, in Hz.
    void set_rate(double rate, int64_t now);

    /// Sets the real rate of the source (Hz), while the stream keeps reporting its own; 0 ends
    /// that.
    void set_source_rate(double rate, int64_t now);

    /// How much faster the clock is than its rate, in parts per million.
    void set_drift(double ppm, int64_t now);

    /// Stops the clock for `duration` ns; then it continues where it was. 0 thaws it at once.
    void freeze(int64_t duration, int64_t now);

    /// Lets the source have run since `epoch`. Call before the first start.
    void run_since(int64_t epoch);

    /// Starts a stream: frame 0 is the source's content at `now`.
    void start(int64_t now);

    /// Loses the next `frames` of the content after what the last advance() counted: they are
    /// never delivered, and nothing is delivered while they go by.
    void lose(uint64_t frames);

    /// The content between these two calls is lost.
    void suspend(int64_t now);
    void resume(int64_t now);

    /// Moves to `now`; a free-running clock stops at `limit` frames. Returns the frames delivered
    /// since the start, which never decrease.
    uint64_t advance(int64_t now, uint64_t limit);

    /// As of the last advance().
    [[nodiscard]] uint64_t frames() const { return frames_; }

    /// The source's position of a frame of this stream.
    [[nodiscard]] uint64_t content_position(uint64_t frame) const;

    /// The time at which `frames` will have been delivered; never while suspended.
    [[nodiscard]] int64_t time_of(uint64_t frames) const;

    /// Frames per second while it runs.
    [[nodiscard]] double speed() const;
    [[nodiscard]] bool is_frozen(int64_t now) const { return frozen_ && now < anchor_time_; }
    [[nodiscard]] bool is_free_running() const;

private:
    struct Hole {
        uint64_t frame; // the first frame after it
        uint64_t lost;  // in all since the start
    };

    [[nodiscard]] double position(int64_t now) const;
    [[nodiscard]] uint64_t lost() const { return holes_.empty() ? 0 : holes_.back().lost; }
    void rebase(int64_t now);

    double rate_ = 0;
    double source_rate_ = 0;
    double drift_ = 0;
    bool running_ = false;
    bool frozen_ = false;
    bool suspended_ = false;
    uint64_t suspended_position_ = 0;
    // The position was anchor_position_ at anchor_time_ and grows from then on; an anchor in the
    // future is a frozen clock.
    int64_t anchor_time_ = 0;
    double anchor_position_ = 0;
    uint64_t origin_ = 0; // content position of frame 0
    uint64_t frames_ = 0;
    std::vector<Hole> holes_;
};

} // namespace jkvm::testing
