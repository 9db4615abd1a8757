// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides when each frame of a jittery stream plays: the engine of jkvmadaptivequeue.
#pragma once

#include "core/playout/fixed_delay.h"
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
#include <vector>

namespace jkvm {

enum class PolicyKind { tail_cost, weighted, fixed };

/// What becomes of the difference between the sender's clock and ours.
enum class DriftMode {
    pts,    ///< output times follow the sender's clock, evenly
    frames, ///< output times are whole frames apart; now and then a frame is dropped or concealed
};

struct PlayoutConfig {
    PolicyKind policy = PolicyKind::tail_cost;
    DriftMode drift_mode = DriftMode::pts;
    /// Limits of the delay above the least transit, whatever the policy says. The delay is changed
    /// by whole frames, so it stays between the two only if they are a frame apart. And it is never
    /// more than what may be queued.
    nanoseconds min_delay{0};
    nanoseconds max_delay = std::chrono::milliseconds(500);
    /// Beyond one of these the oldest frame goes. At most Playout::capacity frames.
    std::size_t max_frames = 200;
    nanoseconds max_time = std::chrono::seconds(1);

    TailCostConfig tail_cost;
    WeightedConfig weighted;
    FixedDelayConfig fixed;
};

/// One Opus packet, as far as it matters here.
struct PlayoutFrame {
    nanoseconds media_time; ///< when it was captured, on any clock
    nanoseconds duration;   ///< > 0
    /// In what steps the codec conceals behind this frame; > 0. See conceal_quantum().
    nanoseconds quantum;
    bool quiet = false; ///< dropping it is hardly heard. See QuietDetector.
};

struct PlayoutStats {
    nanoseconds delay{0};        ///< of the output above the least transit of the last 64 s
    nanoseconds target_delay{0}; ///< what the policy aims at
    nanoseconds offset{0};       ///< output time minus media time
    std::size_t queued_frames = 0;
    nanoseconds queued_time{0};
    WindowedQuantiles::Summary transit; ///< arrival minus media time; the latest frames

    std::uint64_t arrived = 0;   ///< frames
    std::uint64_t played = 0;    ///< frames
    std::uint64_t late = 0;      ///< frames that arrived after their time
    std::uint64_t underruns = 0; ///< times that a frame was due and not there
    nanoseconds concealed{0};    ///< how long, in underruns
    nanoseconds inserted{0};     ///< concealed to raise the delay, with frames at hand
    nanoseconds paused{0};       ///< filled because the sender had nothing: pauses, lost frames

    struct Dropped {
        std::uint64_t late = 0, shrink = 0, shrink_quiet = 0, max_delay = 0, overflow = 0;
    } dropped; ///< frames, by reason

    double drift_ppm = 0;            ///< above 0: the sender's clock is slow
    std::uint64_t adaptations = 0;   ///< changes of the delay, of whatever cause
    nanoseconds last_adaptation{0};  ///< when the last one was
    WeightedPolicy::Inputs weighted; ///< meaningful for that policy only
};

/// Thread-bound, and without a clock: every time is the caller's, on one clock. Allocates nothing
/// once it is made.
///
/// The output is a line of slots: a frame's slot is its media time plus the offset (plus what drift
/// adds). A frame that is not there in its slot is concealed, piece by piece, until one is. Then it
/// goes on with one of the frames that are there, and those before it are dropped: which, is the
/// policy's choice, so that the delay grows where it costs nothing extra. Where the media time
/// itself has a hole (a pause, a loss) the offset stays, and nothing was late.
///
/// The frames themselves stay with the caller, in the order of arrive(): "the oldest frame" is the
/// first of them that was neither played nor dropped.
class Playout {
public:
    static constexpr std::size_t capacity = 1024; ///< frames
    /// So long an underrun is concealed in quanta, as it happens. Beyond that the codec has faded
    /// anyway, and the rest becomes one piece once there is a frame again.
    static constexpr nanoseconds longest_live_concealment = std::chrono::milliseconds(100);

    /// Put the oldest frame out.
    struct Play {
        nanoseconds output_time; ///< where it belongs; now, or a little before
        nanoseconds media_time;  ///< as it came
        nanoseconds duration;
        nanoseconds arrival;
        bool first; ///< of its stream
    };
    /// Put out that much of what the codec makes up.
    struct Conceal {
        nanoseconds output_time;
        nanoseconds duration;
    };
    enum class DropReason {
        late,      ///< skipped after an underrun: its time was over
        shrink,    ///< the policy wants less delay
        max_delay, ///< the delay was above its limit
    };
    /// Throw the oldest frame away.
    struct Drop {
        DropReason reason;
        bool quiet;
    };
    /// Nothing to do before that time, unless a frame arrives.
    struct Wait {
        static constexpr nanoseconds for_ever = nanoseconds::max();
        nanoseconds until;
    };
    /// After finish(): everything was played.
    struct End {};
    using Action = std::variant<Play, Conceal, Drop, Wait, End>;

    /// `load` is borrowed; only the weighted policy asks it.
    Playout(const PlayoutConfig &config, SystemLoad &load);

    /// At any time. Another policy begins with the present delay and knows what has arrived.
    void configure(const PlayoutConfig &config, nanoseconds now);

    /// A frame came. Returns how many of the oldest frames must go because there are too many; the
    /// caller throws them away.
    [[nodiscard]] std::size_t arrive(const PlayoutFrame &frame, nanoseconds now);
    /// That many of the oldest frames must go for a reason of the caller's, who throws them away.
    void drop_oldest(std::size_t count);
    /// Do that, and ask again.
    [[nodiscard]] Action next(nanoseconds now);

    /// The next frame that arrives is of another stream: new caps, another sender. It plays when
    /// those before it have.
    void restart() { restart_expected_ = true; }
    /// All frames are gone, and what comes is another stream.
    void flush();
    /// No frame will come any more: what is queued does not wait for its time.
    void finish() { finished_ = true; }

    /// Sorts some hundred values; delay() alone is cheap.
    [[nodiscard]] PlayoutStats stats();
    /// As in the statistics.
    [[nodiscard]] nanoseconds delay() const { return offset_ - drift_.minimum(); }
    /// When the last frame arrived: how much longer it took than the fastest one of the last 64 s;
    /// or how overdue the oldest frame in the queue was, if that is more.
    [[nodiscard]] nanoseconds lateness() const { return lateness_; }
    /// While this is so, the fastest one is that of the time before: what lasts for longer than
    /// 64 s is late all the same.
    void hold_least(bool holds) { holds_least_ = holds; }

private:
    struct QueuedFrame {
        PlayoutFrame frame;
        nanoseconds arrival;
        std::uint64_t stream;
    };
    /// A ring of fixed size.
    class Queue {
    public:
        [[nodiscard]] std::size_t size() const { return size_; }
        [[nodiscard]] bool empty() const { return size_ == 0; }
        QueuedFrame &operator[](std::size_t i) { return frames_[(begin_ + i) % capacity]; }
        QueuedFrame &front() { return (*this)[0]; }
        void push(const QueuedFrame &frame) { (*this)[size_++] = frame; }
        void pop()
        {
            begin_ = (begin_ + 1) % capacity;
            --size_;
        }
        void clear() { size_ = 0; }

    private:
        std::vector<QueuedFrame> frames_ = std::vector<QueuedFrame>(capacity);
        std::size_t begin_ = 0;
        std::size_t size_ = 0;
    };

    struct DelayLimits {
        nanoseconds least;
        nanoseconds most;
    };

    /// By PolicyKind.
    std::array<DelayPolicy *, 3> policies() { return {&tail_cost_, &weighted_, &fixed_}; }
    [[nodiscard]] bool belongs_to_new_stream(const PlayoutFrame &frame, nanoseconds now) const;
    void begin_stream(nanoseconds now);
    [[nodiscard]] std::size_t excess_frames();
    [[nodiscard]] std::size_t most_frames() const;
    [[nodiscard]] DelayLimits delay_limits(nanoseconds frame_duration) const;

    [[nodiscard]] nanoseconds due(const QueuedFrame &queued) const;
    [[nodiscard]] bool may_edit(); // the policy knows the stream of the oldest frame
    void set_offset(nanoseconds offset, nanoseconds now);
    void remove_oldest();

    void begin_playing(nanoseconds now);
    Action wait_or_conceal(nanoseconds now);
    Action resume(nanoseconds now);
    std::optional<Action> edit(nanoseconds now);
    Action conceal(nanoseconds duration);
    Action pause(nanoseconds duration);
    Action drop(DropReason reason);
    Action play();

    PlayoutConfig config_;
    TailCostPolicy tail_cost_;
    WeightedPolicy weighted_;
    FixedDelayPolicy fixed_;
    DelayPolicy *policy_; // that of these three which decides
    ArrivalDriftEstimator drift_;
    WindowedQuantiles transits_;

    Queue queue_;
    nanoseconds queued_time_{0};
    nanoseconds last_media_time_{0};                            // that arrived
    nanoseconds frame_duration_{std::chrono::milliseconds(20)}; // of the same frame
    nanoseconds lateness_{0};                                   // of the same frame
    std::optional<nanoseconds> least_held_; // that a frame took to its end; none in a new stream
    bool holds_least_ = false;
    std::uint64_t arriving_stream_ = 0;
    std::uint64_t playing_stream_ = 0;
    bool restart_expected_ = true;
    bool finished_ = false;

    nanoseconds offset_{0};                // playout minus media time, less drift
    std::optional<nanoseconds> position_;  // up to there everything was put out
    std::optional<nanoseconds> dry_since_; // the oldest frame was not there; concealed since
    bool gave_up_ = false;                 // concealing: it is too long to go on piece by piece
    nanoseconds quantum_{0};               // of the frame played last
    std::size_t late_frames_ = 0;  // the oldest ones that a resume has skipped, still to be dropped
    bool first_of_stream_ = false; // the next frame played is
    bool slot_decided_ = false;    // the oldest frame's slot was thought about

    PlayoutStats stats_;
};

} // namespace jkvm
