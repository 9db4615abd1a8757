// SPDX-License-Identifier: LGPL-2.1-or-later
#include "omitted_audio.h"

#include "common/gap_event.h"
#include "common/heartbeat_context.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

void OmittedAudio::reset()
{
    begin_.reset();
    heartbeat_ = heartbeat_interval(GST_ELEMENT(src_));
}

void OmittedAudio::extend(nanoseconds begin, nanoseconds end, nanoseconds until_next)
{
    if (!begin_ || end < *begin_) // a flush has restarted the running time
        begin_ = std::max(begin, 0ns);
    if (end - *begin_ + until_next > heartbeat_.value_or(1s))
        push(end);
}

bool OmittedAudio::finish(nanoseconds end)
{
    if (!begin_)
        return false;
    push(end);
    begin_.reset();
    return true;
}

void OmittedAudio::push(nanoseconds end)
{
    if (end <= *begin_)
        return;
    push_gap(src_, *begin_, end - *begin_);
    begin_ = end;
}

} // namespace jkvm
