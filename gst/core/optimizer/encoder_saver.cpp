// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_saver.h"

#include <utility>

namespace jkvm {

void EncoderSaver::configure(bool is_wanted, const OptimizerConfig &config, nanoseconds now)
{
    optimizer_.configure(config);
    if (std::exchange(is_wanted_, is_wanted) && !is_wanted)
        restart(now);
}

void EncoderSaver::restart(nanoseconds now)
{
    optimizer_.restart(now);
    estimate_.restart();
}

void EncoderSaver::record(const EncodedFrame &frame, nanoseconds lateness, nanoseconds now)
{
    if (!is_wanted_)
        return;
    const bool is_by_itself = optimizer_.level() == 0;
    if (is_by_itself)
        estimate_.record(frame);
    if (optimizer_.record(lateness, now) && is_by_itself)
        preset_ = estimate_.config();
}

void EncoderSaver::look(nanoseconds now)
{
    optimizer_.look(now);
}

std::optional<nanoseconds> EncoderSaver::next_look() const
{
    return optimizer_.level() > 0 ? optimizer_.next_look() : std::nullopt;
}

std::optional<EncoderSaver::Request> EncoderSaver::take_request()
{
    const auto level = optimizer_.level();
    if (std::exchange(told_level_, level) == level)
        return std::nullopt;
    return Request{optimized(preset_, level), level == 0};
}

} // namespace jkvm
