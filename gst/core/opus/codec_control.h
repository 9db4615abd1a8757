// SPDX-License-Identifier: LGPL-2.1-or-later
// Derives the encoder's settings from a preset, the owner's own settings and a receiver's request.
#pragma once

#include "core/opus/encoder_settings.h"
#include "core/opus/quality_preset.h"

#include <utility>

namespace jkvm {

/// The owner has priority: any setting by the owner ends the receiver's request.
class CodecControl {
public:
    /// Applies all settings of a preset. Without a value, the settings remain and count as the
    /// owner's.
    void set_quality(std::optional<Quality> quality);
    /// Selects the table of presets. The owner's settings remain.
    void set_direction(wire::Direction direction);
    /// Calls `change` with the settings to modify, which then count as the owner's.
    template <typename Change>
    void change(Change &&change)
    {
        std::forward<Change>(change)(settings_);
        quality_.reset();
        request_ = {};
    }
    /// Merges a request into the previous one: fields without a value stay as requested before.
    void request(const EncoderRequest &request);
    /// Ends the receiver's request.
    void withdraw_request() { request_ = {}; }
    void set_limits(const BitrateLimits &limits) { limits_ = limits; }

    /// The settings to encode with.
    [[nodiscard]] EncoderSettings effective() const
    {
        return apply_request(request_, settings_, limits_);
    }
    /// The owner's settings, without the request.
    [[nodiscard]] const EncoderSettings &settings() const { return settings_; }
    [[nodiscard]] std::optional<Quality> quality() const { return quality_; }
    [[nodiscard]] wire::Direction direction() const { return direction_; }
    [[nodiscard]] const BitrateLimits &limits() const { return limits_; }

private:
    wire::Direction direction_ = wire::Direction::output;
    std::optional<Quality> quality_ = Quality::medium;
    EncoderSettings settings_;
    EncoderRequest request_;
    BitrateLimits limits_;
};

} // namespace jkvm
