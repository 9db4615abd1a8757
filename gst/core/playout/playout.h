// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides when each frame of a jittery stream is played: the engine of jkvmadaptivequeue.
#pragma once

#include "core/playout/delay_slew.h"
#include "core/playout/fixed_delay.h"
#include "core/playout/frame_ring.h"
#include "core/playout/system_load.h"
#include "core/playout/tail_cost.h"
#include "core/playout/weighted.h"
#include "core/stats/windowed_quantiles.h"
#include "core/timing/arrival_drift_estimator.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

namespace jkvm {

enum class PolicyKind { tail_cost, weighted, fixed };

/// How the difference between the sender's clock and the local clock is absorbed.
enum class DriftMode {
    pts,    ///< output times follow the sender's clock continuously
    frames, ///< output times advance by whole frames; a frame is dropped or concealed when needed
};

/// How the delay is changed while frames are queued.
enum class AdaptMode {
    frames, ///< by whole frames, which are dropped or concealed
    slew,   ///< by output times that advance faster or slower than the audio; needs a sink that
            ///< resamples
};

struct PlayoutConfig {
    PolicyKind policy = PolicyKind::tail_cost;
    DriftMode drift_mode = DriftMode::pts;
    AdaptMode adapt = AdaptMode::frames;
    /// Bounds of the delay above the minimum transit, for every policy. With AdaptMode::frames the
    /// delay stays within bounds only if they are at least a frame apart. It never exceeds the
    /// capacity that results from the limits below.
    nanoseconds min_delay{0};
    nanoseconds max_delay = std::chrono::milliseconds(500);
    /// Limits of the queue; the oldest frames beyond one of them overflow. At most
    /// FrameRing::capacity - 1 frames. A single frame never overflows.
    std::size_t max_frames = 200;
    std::size_t max_bytes = SIZE_MAX;
    nanoseconds max_time = std::chrono::seconds(1);

    TailCostConfig tail_cost;
    WeightedConfig weighted;
    FixedDelayConfig fixed;
};

/// Totals since construction.
struct PlayoutCounters {
    std::uint64_t arrived = 0;   ///< frames
    std::uint64_t played = 0;    ///< frames
    std::uint64_t late = 0;      ///< frames that arrived after their slot
    std::uint64_t underruns = 0; ///< times that a frame was missing in its slot
    nanoseconds concealed{0};    ///< total duration concealed in underruns
    nanoseconds inserted{0};     ///< concealed to raise the delay although frames were queued
    nanoseconds paused{0};       ///< filled where the sender sent nothing: pauses, lost frames

    struct Dropped {
        std::uint64_t late = 0, shrink = 0, shrink_quiet = 0, max_delay = 0, overflow = 0;
    } dropped; ///< frames, by reason

    /// Changes of the delay, for any reason. Slewing towards one target is one change.
    std::uint64_t adaptations = 0;
    nanoseconds last_adaptation{0}; ///< time of the last one
};

struct PlayoutStats : PlayoutCounters {
    nanoseconds delay{0};        ///< of the output above the minimum transit of the last 64 s
    nanoseconds target_delay{0}; ///< delay the policy aims at
    nanoseconds offset{0};       ///< output time minus media time
    std::size_t queued_frames = 0;
    nanoseconds queued_time{0};
    WindowedQuantiles::Summary transit; ///< arrival minus media time, of recent frames
    double drift_ppm = 0;               ///< positive: the sender's clock is slow
    /// Difference between the output of the last frame and its duration. 0 with AdaptMode::frames.
    double stretch_ppm = 0;
    WeightedPolicy::Inputs weighted; ///< valid for that policy only
};

/// Thread-bound and without a clock: the caller passes all times, on one clock. Allocates at
/// construction only.
///
/// The output is a sequence of slots: a frame's slot is its media time plus the offset (plus the
/// accumulated drift). A frame that is missing in its slot is concealed, step by step, until one
/// arrives. Playback then resumes with one of the queued frames, and those before it are dropped;
/// the policy chooses which, so that the delay grows where this causes no further disturbance. A
/// gap in the media time itself (a pause, a loss) does not change the offset, and no frame counts
/// as late.
///
/// With AdaptMode::slew the offset moves towards the policy's target by at most
/// DelaySlew::maximum_rate, drift included: a frame's output is longer or shorter than the frame,
/// and consecutive outputs are contiguous. Nothing is concealed except in underruns and pauses, and
/// nothing is dropped except after an underrun, above the maximum delay and by an overflow.
///
/// Playout owns the order of the frames. The caller keeps their data and finds it by the handle.
class Playout {
public:
    using Handle = std::uint64_t;

    /// An underrun is concealed in steps, as it happens, for this long. By then the codec has faded
    /// out; the remainder is concealed as one piece when the next frame is there.
    static constexpr nanoseconds maximum_live_concealment = std::chrono::milliseconds(100);

    /// Output the frame.
    struct Play {
        Handle handle;
        nanoseconds output_time;     ///< its slot: now, or shortly before
        nanoseconds output_duration; ///< differs from `duration` with AdaptMode::slew
        nanoseconds media_time;
        nanoseconds duration;
        nanoseconds arrival;
        bool is_first; ///< of its stream
    };
    enum class ConcealReason {
        underrun, ///< no frame is queued for the slot
        insert,   ///< the delay is raised
        pause,    ///< the media time has a gap
    };
    /// Output this much concealment.
    struct Conceal {
        nanoseconds output_time;
        nanoseconds duration;
        ConcealReason reason;
    };
    enum class DropReason {
        late,      ///< its slot passed during an underrun
        shrink,    ///< the policy reduces the delay
        max_delay, ///< the delay exceeded its maximum
    };
    /// Discard the frame.
    struct Drop {
        Handle handle;
        DropReason reason;
        bool is_quiet;
    };
    /// Nothing to do before that time unless a frame arrives.
    struct Wait {
        static constexpr nanoseconds indefinitely = nanoseconds::max();
        nanoseconds until;
    };
    /// After finish(): all frames have been played.
    struct End {};
    using Action = std::variant<Play, Conceal, Drop, Wait, End>;

    /// `load` is borrowed; only the weighted policy uses it.
    Playout(const PlayoutConfig &config, SystemLoad &load);

    /// At any time. A new policy takes over the present delay and knows all arrivals.
    void configure(const PlayoutConfig &config, nanoseconds now);

    /// Queues a frame. To be followed by drop_overflow() until that returns nothing.
    void arrive(const PlayoutFrame &frame, nanoseconds now);
    /// Drops the oldest frame if the queue exceeds its limits, and returns that frame's handle.
    [[nodiscard]] std::optional<Handle> drop_overflow();
    /// Whether the first output is still to come. Arriving frames may advance it.
    [[nodiscard]] bool is_start_pending() const { return is_start_pending_; }
    /// Whether `frame` could be queued without an overflow. True for an empty queue.
    [[nodiscard]] bool has_room_for(const PlayoutFrame &frame) const;
    /// Returns what the caller has to do now; to be called again once that is done.
    [[nodiscard]] Action next(nanoseconds now);

    /// The oldest queued frame.
    [[nodiscard]] std::optional<Handle> oldest() const;
    [[nodiscard]] const FrameRing::Level &level() const { return queue_.level(); }

    /// The next frame to arrive belongs to a new stream (new caps, another sender). It is played
    /// after all frames that are queued.
    void restart() { restart_expected_ = true; }
    /// Discards all frames; the next one belongs to a new stream.
    void flush();
    /// No more frames will arrive: queued ones are played without waiting for their slots.
    void finish() { finished_ = true; }

    [[nodiscard]] const PlayoutCounters &counters() const { return counters_; }
    /// Sorts some hundred values; counters() and delay() are cheap.
    [[nodiscard]] PlayoutStats stats();
    /// PlayoutStats::delay.
    [[nodiscard]] nanoseconds delay() const { return offset_ - drift_.minimum(); }
    /// Lateness of the last frame: its transit above the minimum of the last 64 s, or the time by
    /// which the oldest queued frame was overdue when it arrived, whichever is longer.
    [[nodiscard]] nanoseconds lateness() const { return lateness_; }
    /// While it is held, lateness() refers to the minimum transit before this call, so that a delay
    /// that lasts longer than 64 s still counts as late.
    void hold_minimum_transit(bool is_held) { is_minimum_held_ = is_held; }
    /// Sets for how long downstream blocks the caller after a frame's slot, because the sink waits
    /// for the pipeline's latency. Until then a frame does not count as overdue.
    void set_downstream_hold(nanoseconds hold) { downstream_hold_ = hold; }
    /// Whether it matters at present if a frame is quiet.
    [[nodiscard]] bool is_drop_considered() const
    {
        return !is_slewing() && policy_->is_drop_considered();
    }

private:
    struct DelayLimits {
        nanoseconds minimum;
        nanoseconds maximum;
    };

    /// In the order of PolicyKind.
    std::array<DelayPolicy *, 3> policies() { return {&tail_cost_, &weighted_, &fixed_}; }
    [[nodiscard]] bool belongs_to_new_stream(const PlayoutFrame &frame, nanoseconds now) const;
    void begin_stream(nanoseconds now);
    void update_lateness(const TransitSample &sample, nanoseconds now);
    [[nodiscard]] std::size_t maximum_frames() const;
    [[nodiscard]] DelayLimits delay_limits(nanoseconds frame_duration) const;

    [[nodiscard]] bool is_slewing() const { return config_.adapt == AdaptMode::slew; }
    [[nodiscard]] nanoseconds slot_of(const FrameRing::Entry &entry) const;
    [[nodiscard]] bool may_edit() const; // the policy has learned the oldest frame's stream
    void set_offset(nanoseconds offset, nanoseconds now);
    void count_adaptation(nanoseconds now);

    void begin_playing(nanoseconds now);
    void advance_start(nanoseconds now);
    Action play_or_wait(nanoseconds now);
    Action wait_or_conceal(nanoseconds now);
    Action resume(nanoseconds now);
    std::size_t choose_resume_frame();
    std::optional<Action> edit(nanoseconds now);
    std::optional<Action> change_by_frames(const Slot &slot, nanoseconds now);
    std::optional<Action> retarget(const Slot &slot, nanoseconds now);
    nanoseconds slew(const PlayoutFrame &frame, nanoseconds start);
    void set_conceal_steps(const PlayoutFrame &frame);
    Action conceal(nanoseconds duration, ConcealReason reason);
    Action pause(nanoseconds duration);
    Action drop(DropReason reason);
    Action play();

    PlayoutConfig config_;
    TailCostPolicy tail_cost_;
    WeightedPolicy weighted_;
    FixedDelayPolicy fixed_;
    DelayPolicy *policy_; // the selected one of these three
    ArrivalDriftEstimator drift_;
    WindowedQuantiles transits_;

    FrameRing queue_;
    // Properties of the last frame that arrived.
    nanoseconds last_media_time_{0};
    nanoseconds frame_duration_{std::chrono::milliseconds(20)};
    nanoseconds lateness_{0};

    std::optional<nanoseconds> held_minimum_; // transit up to a frame's end; empty in a new stream
    bool is_minimum_held_ = false;
    nanoseconds downstream_hold_{0};
    std::uint64_t arriving_stream_ = 0;
    std::uint64_t playing_stream_ = 0;
    bool restart_expected_ = true;
    bool finished_ = false;

    DelaySlew slew_;
    nanoseconds offset_{0};                       // output time minus media time, without drift
    std::optional<nanoseconds> position_;         // end of all output so far
    std::optional<nanoseconds> concealing_since_; // start of the current underrun's concealment
    bool is_concealment_deferred_ = false;        // the underrun exceeded maximum_live_concealment
    // Concealment after the frame played last.
    nanoseconds conceal_step_{0};         // granularity
    nanoseconds maximum_conceal_step_{0}; // upper bound of the first step of an underrun
    nanoseconds next_conceal_step_{0};    // upper bound of further steps
    std::size_t late_frames_ = 0;     // oldest frames that resume() skipped, still to be dropped
    bool is_first_of_stream_ = false; // the next frame to be played
    bool is_slot_decided_ = false;    // edit() was done for the oldest frame
    bool is_start_pending_ = false;   // the first output has a time, and nothing has been output
    nanoseconds start_delay_{0};      // of the first output, as the policy and the limits set it

    PlayoutCounters counters_;
};

} // namespace jkvm
