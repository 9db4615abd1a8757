// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/replay.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>
#include <sstream>

namespace jkvm::benchmark {

using namespace std::chrono_literals;

std::vector<Playout::Action> run_playout(const Trace &trace, Playout &playout,
                                         const ReplaySettings &settings)
{
    std::vector<Playout::Action> outputs;
    outputs.reserve(2 * trace.size());
    std::size_t arrived = 0;
    auto now = trace.front().arrival;
    for (;;) {
        for (; arrived < trace.size() && trace[arrived].arrival <= now; ++arrived) {
            const auto &frame = trace[arrived];
            const PlayoutFrame playout_frame{.media_time = frame.media,
                                             .duration = settings.frame_duration,
                                             .conceal_step = settings.conceal_step,
                                             .maximum_conceal_step = settings.maximum_conceal_step,
                                             .handle = arrived};
            playout.arrive(playout_frame, frame.arrival);
            while (const auto handle = playout.drop_overflow())
                outputs.emplace_back(Playout::Drop{*handle, Playout::DropReason::max_delay, false});
        }
        if (arrived == trace.size())
            playout.finish();
        const auto action = playout.next(now);
        if (std::holds_alternative<Playout::End>(action))
            return outputs;
        if (const auto *wait = std::get_if<Playout::Wait>(&action)) {
            now = arrived < trace.size() ? std::min(wait->until, trace[arrived].arrival)
                                         : wait->until;
            continue;
        }
        outputs.push_back(action);
    }
}

namespace {

// Scores the output between two played frames, and the second one of them.
class Scorer {
public:
    Scorer(const Trace &trace, const ReplaySettings &settings) : trace_(trace), settings_(settings)
    {}

    void take(const Playout::Action &output)
    {
        if (const auto *conceal = std::get_if<Playout::Conceal>(&output)) {
            concealed_ += conceal->duration;
            ++steps_;
        } else if (const auto *drop = std::get_if<Playout::Drop>(&output)) {
            ++(drop->is_quiet ? quiet_drops_ : other_drops_);
        } else if (const auto *play = std::get_if<Playout::Play>(&output)) {
            played(*play, trace_[play->handle]);
            concealed_ = 0ns;
            steps_ = 0;
            quiet_drops_ = other_drops_ = 0;
        }
    }

    ReplayResult finish();

private:
    void played(const Playout::Play &play, const TracedFrame &frame)
    {
        played_.push_back({frame.media, play.output_time - frame.reference});
        if (frame.media - trace_.front().media >= settings_.skip) {
            score_gap(play);
            const auto delay = milliseconds_of(played_.back().delay);
            if (!delays_.empty())
                variation_ += std::abs(delay - delays_.back());
            delays_.push_back(delay);
        }
        media_end_ = play.media_time + play.duration;
    }

    void score_gap(const Playout::Play &play)
    {
        const auto dropped = static_cast<std::int64_t>(quiet_drops_ + other_drops_);
        // Gaps in the media time are not a disturbance.
        const auto gap = play.media_time - media_end_ - dropped * settings_.frame_duration;
        const auto concealed = std::max(0ns, concealed_ - std::max(gap, 0ns));
        if (concealed > 0ns) {
            ++score_.underruns;
            score_.conceal_steps += steps_;
        }
        score_.concealed_ms += milliseconds_of(concealed);
        const auto paid = concealed > 0ns ? 0 : other_drops_;
        score_.dropped_paid += paid;
        score_.dropped_free += quiet_drops_ + other_drops_ - paid;
    }

    const Trace &trace_;
    const ReplaySettings &settings_;
    Score score_;
    std::vector<PlayedFrame> played_;
    std::vector<double> delays_; // of each frame, ms
    double variation_ = 0;
    nanoseconds media_end_{0}; // of the frame played last
    nanoseconds concealed_{0}; // since then
    std::uint64_t steps_ = 0;  // of the concealment since then
    std::uint64_t quiet_drops_ = 0;
    std::uint64_t other_drops_ = 0;
};

ReplayResult Scorer::finish()
{
    score_.frames = delays_.size();
    if (delays_.empty())
        return {score_, played_};
    const auto count = static_cast<double>(delays_.size());
    score_.mean_delay_ms = std::accumulate(delays_.begin(), delays_.end(), 0.0) / count;
    std::sort(delays_.begin(), delays_.end());
    const auto quantile = [this](double part) {
        const auto rank = part * static_cast<double>(delays_.size() - 1);
        return delays_[static_cast<std::size_t>(rank)];
    };
    score_.p95_delay_ms = quantile(0.95);
    score_.p99_delay_ms = quantile(0.99);
    score_.max_delay_ms = delays_.back();

    const auto frame_ms = milliseconds_of(settings_.frame_duration);
    const auto output_ms = count * frame_ms + score_.concealed_ms;
    score_.disturbance =
        (score_.concealed_ms + static_cast<double>(score_.dropped_paid) * frame_ms) / output_ms;
    score_.delay_variation_ms_per_min = variation_ / (output_ms / 60000);
    return {score_, played_};
}

} // namespace

ReplayResult score_outputs(const Trace &trace, const std::vector<Playout::Action> &outputs,
                           const ReplaySettings &settings)
{
    Scorer scorer(trace, settings);
    for (const auto &output : outputs)
        scorer.take(output);
    return scorer.finish();
}

ReplayResult replay(const Trace &trace, const PlayoutConfig &config, SystemLoad &load,
                    const ReplaySettings &settings)
{
    Playout playout(config, load);
    const auto start = monotonic_now();
    const auto outputs = run_playout(trace, playout, settings);
    const auto end = monotonic_now();

    auto result = score_outputs(trace, outputs, settings);
    result.score.ns_per_frame =
        static_cast<double>((end - start).count()) / static_cast<double>(trace.size());
    return result;
}

std::string to_json(const Score &score)
{
    std::ostringstream json;
    json << std::fixed << std::setprecision(3) << "{\"frames\": " << score.frames
         << ", \"mean_delay_ms\": " << score.mean_delay_ms
         << ", \"p95_delay_ms\": " << score.p95_delay_ms
         << ", \"p99_delay_ms\": " << score.p99_delay_ms
         << ", \"max_delay_ms\": " << score.max_delay_ms << std::setprecision(9)
         << ", \"disturbance\": " << score.disturbance << std::setprecision(3)
         << ", \"concealed_ms\": " << score.concealed_ms << ", \"underruns\": " << score.underruns
         << ", \"conceal_steps\": " << score.conceal_steps
         << ", \"dropped_paid\": " << score.dropped_paid
         << ", \"dropped_free\": " << score.dropped_free
         << ", \"delay_variation_ms_per_min\": " << score.delay_variation_ms_per_min
         << ", \"ns_per_frame\": " << score.ns_per_frame << '}';
    return json.str();
}

} // namespace jkvm::benchmark
