// SPDX-License-Identifier: LGPL-2.1-or-later
// A playback device and the thread that feeds it, in simulated time.
#pragma once

#include "core/playback/playback_clock.h"
#include "core/playback/playback_control.h"
#include "core/playback/pointer_edge_detector.h"

#include <cstdint>

namespace jkvm {

/// Behaviour of the simulated device.
struct SimulatedDevice {
    double ppm = 0;         ///< how much faster it runs than 48 kHz
    std::uint64_t step = 1; ///< frames by which its pointer moves at once
    nanoseconds stall{0};   ///< how long both threads are held up, at most
    nanoseconds stall_every{0};
    nanoseconds pause = std::chrono::milliseconds(25); ///< between the searches for an edge
};

/// Plays packets of 20 ms. One thread writes each packet when the ring should hold 24 ms, another
/// one reads the pointer around one edge per packet; both wake up late.
class PlaybackSimulation {
public:
    explicit PlaybackSimulation(const SimulatedDevice &device);

    /// Continues to play for that long.
    void run(nanoseconds time);
    /// Stops the device for 200 ms and starts it again: it counts from 0.
    void restart_device();

    /// Results for packets that were written since reset_figures().
    struct Figures {
        nanoseconds earliest = nanoseconds::max(); ///< true playout time less due time
        nanoseconds latest = nanoseconds::min();
        double squared_ratio_error = 0; ///< ppm^2, sum
        std::uint64_t packets = 0;
        std::uint64_t underruns = 0;
        std::uint64_t jumps = 0; ///< corrections by silence, the first one after a start aside

        [[nodiscard]] nanoseconds span() const { return latest - earliest; }
        [[nodiscard]] double ratio_noise() const; ///< rms, ppm
    };
    [[nodiscard]] const Figures &figures() const { return figures_; }
    void reset_figures() { figures_ = {}; }
    /// When the last packet that played more than 0.5 ms off its due time was written, since the
    /// start.
    [[nodiscard]] nanoseconds locked_after() const { return locked_after_; }

private:
    void read_pointer();
    void write_packet();
    nanoseconds random_up_to(nanoseconds limit);
    nanoseconds lateness();
    [[nodiscard]] double played_by(MonotonicTime time) const;
    [[nodiscard]] MonotonicTime true_time_of(double frame) const;
    void start_device();

    SimulatedDevice device_;
    std::uint64_t random_ = 1; // <random> is too slow for a day in an unoptimised build
    PlaybackClock clock_{48000};
    PointerEdgeDetector edges_{48000};
    PlaybackControl control_;
    MonotonicTime now_;
    MonotonicTime started_;
    MonotonicTime read_at_;
    MonotonicTime write_at_;
    MonotonicTime due_; // of the next packet
    MonotonicTime next_stall_;
    std::uint64_t written_ = 0; // frames
    double fraction_ = 0;       // of a frame that the resampler holds back
    bool has_started_playing_ = false;
    nanoseconds locked_after_{0};
    Figures figures_;
};

} // namespace jkvm
