// SPDX-License-Identifier: LGPL-2.1-or-later
// Computes how many frames a virtual device has captured or played at a given time.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace jkvm::testing {

/// Keeps two counts. The *content position* is the position of the source; it advances from the
/// first start on, even while the stream is stopped, suspended or in an xrun. The *frames* are
/// those delivered by the stream since its last start. The difference is the lost content.
///
/// All times are CLOCK_MONOTONIC in nanoseconds, passed by the caller, and must not decrease.
/// Not thread-safe; the owner locks.
class DeviceClock {
public:
    static constexpr int64_t never = std::numeric_limits<int64_t>::max();

    /// A source that exceeds the stream's rate by this factor is free-running: it waits for the
    /// reader instead of causing an overrun.
    static constexpr double free_running = 8.0;

    /// Sets the negotiated rate of the stream (Hz).
    void set_rate(double rate, int64_t now);

    /// Sets the true rate of the source (Hz), which the stream does not report; 0 restores the
    /// negotiated rate.
    void set_source_rate(double rate, int64_t now);

    /// Sets the clock's deviation from its rate in parts per million; positive is fast.
    void set_drift(double ppm, int64_t now);

    /// Stops the clock for `duration` ns; then it continues at the same frame. 0 thaws it.
    void freeze(int64_t duration, int64_t now);

    /// Makes the source start at `epoch`. Must be called before the first start.
    void run_since(int64_t epoch);

    /// Starts a stream: frame 0 is the source's content at `now`.
    void start(int64_t now);

    /// Skips `frames` of the content after the position of the last advance(). They are not
    /// delivered, and no other frames are delivered during this time.
    void lose(uint64_t frames);

    /// The content between suspend() and resume() is lost.
    void suspend(int64_t now);
    void resume(int64_t now);

    /// Advances to `now`; a free-running clock stops at `limit` frames. Returns the number of
    /// frames delivered since the start, which never decreases.
    uint64_t advance(int64_t now, uint64_t limit);

    /// Number of frames at the last advance().
    [[nodiscard]] uint64_t frames() const { return frames_; }

    /// Returns the content position of a frame of this stream.
    [[nodiscard]] uint64_t content_position(uint64_t frame) const;

    /// Returns the time at which `frames` will have been delivered; `never` while suspended.
    [[nodiscard]] int64_t time_of(uint64_t frames) const;

    /// Frames per second of the running clock.
    [[nodiscard]] double speed() const;
    [[nodiscard]] bool is_frozen(int64_t now) const { return frozen_ && now < anchor_time_; }
    [[nodiscard]] bool is_free_running() const;

private:
    struct LostFrames {
        uint64_t frame; // first frame after the loss
        uint64_t lost;  // total since the start
    };

    [[nodiscard]] double position(int64_t now) const;
    [[nodiscard]] uint64_t lost() const { return losses_.empty() ? 0 : losses_.back().lost; }
    void rebase(int64_t now);

    double rate_ = 0;
    double source_rate_ = 0;
    double drift_ = 0;
    bool running_ = false;
    bool frozen_ = false;
    bool suspended_ = false;
    uint64_t suspended_position_ = 0;
    // The content position was anchor_position_ at anchor_time_ and increases from then on. A
    // frozen clock has its anchor in the future.
    int64_t anchor_time_ = 0;
    double anchor_position_ = 0;
    uint64_t origin_ = 0; // content position of frame 0
    uint64_t frames_ = 0;
    std::vector<LostFrames> losses_;
};

} // namespace jkvm::testing
