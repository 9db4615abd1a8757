// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures the real rate of a device against the clock and detects one that differs from the rate
// that the device reports.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// A deviation is a wrong rate if the readings of a window lie on a straight line: stalls, late
/// wake-ups and stolen CPU time are steps. The deviation must be a multiple of the distance of the
/// readings from the line, so noisy devices need longer windows. Does not allocate. Thread-bound.
class RateCheck {
public:
    /// Windows of readings, and the minimum deviation that is detected in each (parts of one).
    static constexpr nanoseconds short_window = std::chrono::milliseconds(360);
    static constexpr double short_threshold = 0.0035;
    static constexpr nanoseconds middle_window = std::chrono::milliseconds(1500);
    static constexpr nanoseconds long_window = std::chrono::milliseconds(4500);
    static constexpr double long_threshold = 0.00195;
    /// Range of the ratio of measured to reported rate; other measurements are discarded.
    static constexpr double min_ratio = 0.3;
    static constexpr double max_ratio = 3.2;
    /// A measured rate that is closer to the reported one is no longer a mismatch.
    static constexpr double restored_threshold = 0.0015;
    /// A wake-up that is later than this disturbs a measurement.
    static constexpr nanoseconds max_lateness = std::chrono::milliseconds(4);

    enum class Event {
        none,
        mismatched, ///< a wrong rate was detected, or a wrong rate changed: rate() is new
        refined,    ///< rate() is more precise
        restored,   ///< the device has the reported rate again: rate() is that
    };

    RateCheck() = default;
    /// `reported`: the rate that the device reports, Hz.
    explicit RateCheck(unsigned reported) : reported_(reported), rate_(reported) {}

    /// A reading: the device had moved `samples` per channel since it was started. `lateness`: how
    /// much later than planned the thread took it. Positions and times never decrease until a
    /// restart.
    Event observe(std::uint64_t samples, MonotonicTime time, nanoseconds lateness);
    /// The device was restarted and counts from 0 again. The rate stays.
    void restart();

    /// The device's rate, Hz: the reported one, or the measured one if that differs.
    [[nodiscard]] double rate() const { return rate_; }
    [[nodiscard]] bool is_mismatched() const { return is_mismatched_; }

private:
    struct Reading {
        double samples;    // since base_samples_
        double time;       // seconds since base_time_
        bool is_disturbed; // the thread or the device paused since the reading before
    };
    static constexpr std::size_t max_points = 64;
    /// The newest readings, a minimum interval apart; the least late one of each interval.
    class History {
    public:
        void add(const Reading &reading, double interval, double rate);
        void clear() { count_ = 0; }
        [[nodiscard]] std::size_t count() const { return count_; }
        [[nodiscard]] const Reading &at(std::size_t i) const // 0 is the oldest
        {
            return readings_[(begin_ + i) % max_points];
        }

    private:
        std::array<Reading, max_points> readings_{};
        std::size_t begin_ = 0;
        std::size_t count_ = 0;
        double interval_start_ = 0; // of the newest reading
    };
    /// The newest readings of a history, without copying them.
    class Points {
    public:
        /// Empty if the history is shorter than `window`.
        Points(const History &history, nanoseconds window);
        [[nodiscard]] std::size_t count() const { return history_.count() - first_; }
        [[nodiscard]] const Reading &operator[](std::size_t i) const
        {
            return history_.at(first_ + i);
        }

    private:
        const History &history_;
        std::size_t first_ = 0;
    };

    struct Line {
        double slope;
        double spread; // distance between the outermost points, s
    };

    /// The deviation from rate_ (parts of one, above 0 = fast) if the points show one
    /// clearly.
    [[nodiscard]] std::optional<double> find_deviation(const Points &points,
                                                       double threshold) const;
    /// How far the device got ahead of the clock between two readings, s.
    [[nodiscard]] double gain(const Reading &from, const Reading &to) const;
    /// The lead over the clock as a function of time, by least squares.
    [[nodiscard]] Line fit_line(const Points &points) const;
    /// Whether most of the window has the slope, and not only a few steps in it.
    [[nodiscard]] bool has_slope_throughout(const Points &points, double slope) const;
    [[nodiscard]] std::optional<double> detect(double now);
    /// Returns whether the device paused.
    bool estimate_granularity(std::uint64_t samples, double time);
    /// The step of the device's position, s.
    [[nodiscard]] double granularity() const;
    Event apply(double rate);
    /// Updates the fit since the detection. Returns whether rate_ changed.
    bool refine();
    void add_to_fit(const Reading &reading);

    double reported_ = 48000;
    double rate_ = 48000;
    bool is_mismatched_ = false;

    std::optional<MonotonicTime> base_time_;
    double base_samples_ = 0;
    History recent_;             // 8 ms apart
    History history_;            // 100 ms apart
    double next_check_ = 0;      // of the short window, s
    double next_long_check_ = 0; // of the other windows, s

    std::uint64_t last_samples_ = 0;
    double moved_at_ = 0;           // first reading of that position, s
    std::uint64_t common_step_ = 0; // largest number that divides all positions; 0 = no reading
    double unmoved_time_ = 0;       // longest time without a move, decaying, s
    double decayed_at_ = 0;

    // Readings since the detection, with the steps of stalls removed.
    History fit_; // 0.5 s apart
    std::optional<Reading> last_fitted_;
    double removed_ = 0; // time of the steps removed, s
    double next_refinement_ = 0;
    double refinement_pause_ = 0;
};

} // namespace jkvm
