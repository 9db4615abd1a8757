// SPDX-License-Identifier: LGPL-2.1-or-later
// Analyses recordings of the chirp: finds stretches that follow the signal, and accounts for the
// signal between them.
#include "support/chirp.h"
#include "support/correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace jkvm::testing {

namespace {

using Position = std::int64_t; // samples

constexpr Position block = chirp_rate / 1000;
constexpr Position window = 10 * block;        // decides whether a stretch follows the signal
constexpr Position search_window = 20 * block; // for the search in the whole signal
constexpr Position slewed_window = 4 * block;  // its position changes by a sample at most
constexpr Position maximum_search_interval = 2000 * block;
constexpr Position step = chirp_rate / 400; // Opus frames are multiples of 2.5 ms
constexpr double block_threshold = 0.6;     // correlation of a single block
constexpr double recovery_threshold = 0.35; // the same, for the blocks before a stretch
constexpr double window_threshold = 0.75;
constexpr float silence = 30; // RMS in 16-bit units

/// A stretch of the recording that follows the signal.
struct Stretch {
    Position begin; // in the recording
    Position end;
    Position offset; // position in the signal minus that in the recording, at `begin`; not wrapped
    Position end_offset; // the same at `end`
};

class Analysis {
public:
    Analysis(std::span<const std::int16_t> recording, unsigned channels,
             const ChirpTolerance &tolerance)
        : concealment_(tolerance.concealment.count()), is_slewed_(tolerance.is_slewed)
    {
        const auto signal = make_chirp();
        signal_.assign(signal.begin(), signal.end());
        length_ = static_cast<Position>(signal.size());
        signal_.insert(signal_.end(), signal.begin(), signal.begin() + search_window);
        mono_.reserve(recording.size() / channels);
        for (std::size_t i = 0; i + channels <= recording.size(); i += channels) {
            float sum = 0;
            for (unsigned channel = 0; channel < channels; ++channel)
                sum += static_cast<float>(recording[i + channel]);
            mono_.push_back(sum / static_cast<float>(channels));
        }
        size_ = static_cast<Position>(mono_.size());
    }

    /// Returns all stretches in the order of the recording.
    std::vector<Stretch> find_stretches()
    {
        std::vector<Stretch> stretches;
        std::optional<Stretch> found = find_first();
        while (found) {
            follow(*found);
            if (!stretches.empty())
                found->begin = follow_back(*found, stretches.back().end);
            stretches.push_back(*found);
            found = find_next(*found);
        }
        return stretches;
    }

private:
    /// Returns the normalised correlation of the recording with the signal at the offset.
    [[nodiscard]] double correlate(Position at, Position count, Position offset) const
    {
        auto source = (at + offset) % length_;
        source += source < 0 ? length_ : 0;
        const float *const recorded = mono_.data() + at;
        const float *const expected = signal_.data() + source;
        float product = 0;
        float recorded_energy = 0;
        float expected_energy = 0;
        for (Position i = 0; i < count; ++i) {
            product += recorded[i] * expected[i];
            recorded_energy += recorded[i] * recorded[i];
            expected_energy += expected[i] * expected[i];
        }
        if (recorded_energy < silence * silence * static_cast<float>(count))
            return 0;
        return static_cast<double>(product / std::sqrt(recorded_energy * expected_energy));
    }

    [[nodiscard]] bool is_silent(Position at, Position count) const
    {
        float energy = 0;
        for (Position i = at; i < at + count; ++i)
            energy += mono_[static_cast<std::size_t>(i)] * mono_[static_cast<std::size_t>(i)];
        return energy < silence * silence * static_cast<float>(count);
    }

    /// Whether the recording follows the signal in the whole window.
    [[nodiscard]] bool follows(Position at, Position offset) const
    {
        // A single block rules most offsets out.
        return correlate(at + window / 2, block, offset) >= block_threshold &&
               correlate(at, window, offset) >= window_threshold;
    }

    /// Extends a stretch to the start of the first block that does not follow the signal.
    void follow(Stretch &stretch) const
    {
        for (stretch.end = stretch.begin; stretch.end + block <= size_; stretch.end += block) {
            if (is_slewed_ && stretch.end + slewed_window <= size_)
                stretch.end_offset = refine(stretch.end, stretch.end_offset, slewed_window, 1);
            if (correlate(stretch.end, block, stretch.end_offset) < block_threshold)
                return;
        }
    }

    /// Returns the start of a stretch, not before `limit`. A decoder recovers slowly after a loss.
    [[nodiscard]] Position follow_back(const Stretch &stretch, Position limit) const
    {
        auto at = stretch.begin;
        while (at - block >= limit &&
               correlate(at - block, block, stretch.offset) >= recovery_threshold)
            at -= block;
        return at;
    }

    std::optional<Stretch> find_first()
    {
        for (Position at = 0; at + search_window <= size_; at += search_window / 2) {
            if (is_silent(at, search_window))
                continue;
            if (const auto offset = find_anywhere(at, std::nullopt))
                return make_stretch(at, *offset);
        }
        return std::nullopt;
    }

    /// Finds the next stretch: at the same offset, at one that differs by a multiple of an Opus
    /// frame, or at any.
    std::optional<Stretch> find_next(const Stretch &before)
    {
        // A concealment that is followed by the same offset may contain frames at other offsets.
        const auto end = std::min(before.end + concealment_, size_ - window);
        for (auto at = before.end; at < end; at += block) {
            if (follows(at, before.end_offset)) {
                const auto earlier = find_near_in(before.end, at - window, before.end_offset);
                return earlier ? earlier : make_stretch(at, before.end_offset);
            }
        }
        // The search of the whole signal is expensive, so it becomes rare in audio that is not part
        // of the signal at all.
        auto next_search = before.end;
        auto interval = search_window;
        for (auto at = before.end; at + window <= size_; at += block) {
            if (const auto near = find_near_in(at, at + block, before.end_offset))
                return near;
            if (at < next_search || at + search_window > size_ || is_silent(at, window))
                continue;
            if (const auto offset = find_anywhere(at, before.end_offset))
                return make_stretch(at, *offset);
            next_search = at + interval;
            interval = std::min(2 * interval, maximum_search_interval);
        }
        return std::nullopt;
    }

    /// Finds a stretch that begins from `begin` to `end`, at an offset that differs from the given
    /// one by a multiple of an Opus frame.
    [[nodiscard]] std::optional<Stretch> find_near_in(Position begin, Position end,
                                                      Position offset) const
    {
        for (auto at = begin; at < end; at += block) {
            if (is_silent(at, window))
                continue;
            if (const auto found = find_near(at, offset))
                return make_stretch(at, *found);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Position> find_near(Position at, Position offset) const
    {
        if (follows(at, offset))
            return offset;
        for (Position distance = step; distance <= length_ / 4; distance += step) {
            if (follows(at, offset + distance))
                return offset + distance;
            if (follows(at, offset - distance))
                return offset - distance;
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Position> find_anywhere(Position at,
                                                        std::optional<Position> expected) const
    {
        const auto match =
            find_in_loop(std::span(mono_).subspan(static_cast<std::size_t>(at), search_window),
                         std::span(signal_).first(static_cast<std::size_t>(length_)));
        if (match.correlation < window_threshold)
            return std::nullopt;
        const auto offset = static_cast<Position>(match.lag) - at;
        const auto distance = static_cast<double>(expected.value_or(offset) - offset);
        return offset + length_ * std::llround(distance / static_cast<double>(length_));
    }

    /// Returns a stretch that begins with the first block from `at` on that follows the signal.
    [[nodiscard]] Stretch make_stretch(Position at, Position offset) const
    {
        const auto last = at + window - block;
        while (at < last && correlate(at, block, offset) < block_threshold)
            at += block;
        const auto exact = refine(at, offset, is_slewed_ ? slewed_window : search_window, 4);
        return {.begin = at, .end = at, .offset = exact, .end_offset = exact};
    }

    /// Returns the offset that agrees best with the recording in a window, at most `reach` off.
    [[nodiscard]] Position refine(Position at, Position offset, Position length,
                                  Position reach) const
    {
        const auto count = std::min(length, size_ - at);
        auto best = offset;
        double highest = 0;
        for (auto candidate = offset - reach; candidate <= offset + reach; ++candidate) {
            const auto correlation = correlate(at, count, candidate);
            if (correlation > highest) {
                highest = correlation;
                best = candidate;
            }
        }
        return best;
    }

    std::vector<float> signal_; // followed by its beginning, so that a window does not wrap around
    Position length_ = 0;
    std::vector<float> mono_;
    Position size_ = 0;
    const Position concealment_;
    const bool is_slewed_;
};

/// Removes short stretches that only repeat audio: the decoder made them to conceal a loss.
void remove_repetitions(std::vector<Stretch> &stretches, Samples concealment)
{
    auto newest = std::numeric_limits<Position>::min();
    std::erase_if(stretches, [&](const Stretch &stretch) {
        const auto end = stretch.end + stretch.end_offset;
        if (end <= newest && stretch.end - stretch.begin < concealment.count())
            return true;
        newest = std::max(newest, end);
        return false;
    });
}

/// Returns the duration of the concealment between two stretches. Both offsets are exact, so it
/// follows exactly from the missing part of the signal, which is known to be whole frames.
Position find_concealment(const Stretch &before, const Stretch &after,
                          const ChirpTolerance &tolerance)
{
    const auto gap = after.begin - before.end;
    const auto jump = after.offset - before.end_offset;
    const auto transition = tolerance.transition.count();
    if (tolerance.frame == Samples(0))
        return gap <= transition ? 0 : gap;
    // Half of a transition is inside the concealment on average.
    const auto missing = static_cast<double>(std::max<Position>(0, gap - transition / 2) + jump);
    const auto frame = tolerance.frame.count();
    auto frames = std::llround(missing / static_cast<double>(frame));
    if (jump > -tolerance.concealment.count())
        frames = std::max(frames, 0LL); // a decoder may repeat audio to conceal a loss
    return std::max<Position>(0, frames * frame - jump);
}

/// Moves the start of each stretch to the end of the concealment before it, and joins stretches
/// without a deviation between them.
std::vector<Stretch> remove_transitions(const std::vector<Stretch> &stretches,
                                        const ChirpTolerance &tolerance)
{
    std::vector<Stretch> result;
    for (auto stretch : stretches) {
        if (!result.empty()) {
            auto &before = result.back();
            const auto concealed = find_concealment(before, stretch, tolerance);
            if (concealed == 0 && stretch.offset == before.end_offset) {
                before.end = stretch.end;
                before.end_offset = stretch.end_offset;
                continue;
            }
            stretch.begin = before.end + concealed;
            stretch.end = std::max(stretch.begin, stretch.end);
        }
        result.push_back(stretch);
    }
    return result;
}

/// The parts of the signal that have appeared so far.
class Appeared {
public:
    /// Adds a part. Returns how much of it had appeared before.
    Position add(Position begin, Position end)
    {
        Position known = 0;
        for (const auto &[from, to] : parts_)
            known += std::max<Position>(0, std::min(end, to) - std::max(begin, from));
        parts_.emplace_back(begin, end);
        merge();
        return known;
    }

    [[nodiscard]] Position total() const
    {
        Position sum = 0;
        for (const auto &[from, to] : parts_)
            sum += to - from;
        return sum;
    }
    [[nodiscard]] Position first() const { return parts_.front().first; }
    [[nodiscard]] Position newest() const { return parts_.back().second; }
    [[nodiscard]] bool is_empty() const { return parts_.empty(); }

private:
    void merge()
    {
        std::sort(parts_.begin(), parts_.end());
        std::vector<std::pair<Position, Position>> merged;
        for (const auto &part : parts_) {
            if (!merged.empty() && part.first <= merged.back().second)
                merged.back().second = std::max(merged.back().second, part.second);
            else
                merged.push_back(part);
        }
        parts_ = std::move(merged);
    }

    std::vector<std::pair<Position, Position>> parts_;
};

} // namespace

ChirpAccount analyse_chirp(std::span<const std::int16_t> recording, unsigned channels,
                           const ChirpTolerance &tolerance)
{
    Analysis analysis(recording, channels, tolerance);
    auto found = analysis.find_stretches();
    remove_repetitions(found, tolerance.concealment);
    const auto stretches = remove_transitions(found, tolerance);
    ChirpAccount account;
    Appeared appeared;
    const Stretch *before = nullptr;
    for (const auto &stretch : stretches) {
        const auto begin = stretch.begin + stretch.offset;
        const auto end = stretch.end + stretch.end_offset;
        const auto old = appeared.is_empty()
                             ? 0
                             : std::max<Position>(0, std::min(end, appeared.newest()) - begin);
        const auto repeated = appeared.add(begin, end);
        account.played += Samples(end - begin);
        account.repeated += Samples(repeated);
        account.stale += Samples(old - repeated);
        if (before != nullptr) {
            const Samples concealed(stretch.begin - before->end);
            account.concealed += concealed;
            account.events.push_back(
                {Samples(before->end), concealed, Samples(stretch.offset - before->end_offset)});
        }
        before = &stretch;
    }
    if (!appeared.is_empty())
        account.missing = Samples(appeared.newest() - appeared.first() - appeared.total());
    return account;
}

std::ostream &operator<<(std::ostream &stream, const ChirpAccount &account)
{
    const auto ms = [](Samples samples) {
        return std::chrono::duration<double, std::milli>(samples).count();
    };
    stream << "played " << ms(account.played) << " ms, missing " << ms(account.missing)
           << " ms, repeated " << ms(account.repeated) << " ms, stale " << ms(account.stale)
           << " ms, concealed " << ms(account.concealed) << " ms";
    std::size_t shown = 0;
    for (const auto &event : account.events) {
        if (++shown > 20)
            return stream << "\n  ... " << account.events.size() << " events";
        stream << "\n  at " << ms(event.at) << " ms: concealed " << ms(event.concealed)
               << " ms, jump " << ms(event.jump) << " ms";
    }
    return stream;
}

} // namespace jkvm::testing
