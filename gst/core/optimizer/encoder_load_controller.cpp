// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_load_controller.h"

#include <utility>

namespace jkvm {

void EncoderLoadController::configure(bool is_enabled, const OptimizerConfig &config,
                                      nanoseconds now)
{
    optimizer_.configure(config);
    if (std::exchange(is_enabled_, is_enabled) && !is_enabled)
        restart(now);
}

void EncoderLoadController::restart(nanoseconds now)
{
    optimizer_.restart(now);
    estimate_.restart();
}

void EncoderLoadController::record(const EncodedFrame &frame, nanoseconds lateness, nanoseconds now)
{
    if (!is_enabled_)
        return;
    const bool is_at_own_settings = optimizer_.level() == 0;
    if (is_at_own_settings)
        estimate_.record(frame);
    if (optimizer_.record(lateness, now) && is_at_own_settings)
        own_settings_ = estimate_.config();
}

void EncoderLoadController::on_idle(nanoseconds now)
{
    optimizer_.on_idle(now);
}

std::optional<nanoseconds> EncoderLoadController::idle_deadline() const
{
    return optimizer_.level() > 0 ? optimizer_.idle_deadline() : std::nullopt;
}

std::optional<EncoderLoadController::Request> EncoderLoadController::take_request()
{
    const auto level = optimizer_.level();
    if (std::exchange(requested_level_, level) == level)
        return std::nullopt;
    return Request{optimized(own_settings_, level), level == 0};
}

} // namespace jkvm
