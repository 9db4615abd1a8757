// SPDX-License-Identifier: LGPL-2.1-or-later
#include "output_timeline.h"

#include <algorithm>
#include <utility>

namespace jkvm {

OutputTimeline::Placed OutputTimeline::place(const Playout::Play &play)
{
    offset_ = play.output_time - play.media_time;
    const auto time = play.media_time + shift();
    std::optional<Gap> gap;
    if (play.is_first && end_) // upstream announced gaps before the first frame
        gap = fill(*end_, time);
    end_ = time + duration_of(play);
    return {time, gap, std::exchange(has_unfilled_gap_, false)};
}

std::optional<OutputTimeline::Gap> OutputTimeline::place(const Playout::Conceal &conceal)
{
    const auto start = conceal.output_time - offset_ + shift();
    return fill(end_ ? std::max(start, *end_) : start, start + conceal.duration);
}

std::optional<OutputTimeline::Gap> OutputTimeline::place_pause(nanoseconds media_end,
                                                               nanoseconds now)
{
    return fill(end_.value_or(nanoseconds(0)), std::min(media_end, now - shift()) + shift());
}

std::optional<OutputTimeline::Gap> OutputTimeline::fill(nanoseconds start, nanoseconds end)
{
    if (end <= start)
        return std::nullopt;
    end_ = end;
    if (end - start > maximum_gap) {
        has_unfilled_gap_ = true;
        return std::nullopt;
    }
    return Gap{start, end - start};
}

} // namespace jkvm
