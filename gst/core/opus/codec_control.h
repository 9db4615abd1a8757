// SPDX-License-Identifier: LGPL-2.1-or-later
// Who decides how sound is coded: a preset, the owner's own settings, a receiver's request.
#pragma once

#include "core/opus/encoder_settings.h"
#include "core/opus/quality_preset.h"

#include <utility>

namespace jkvm {

/// The owner's word counts: whatever the owner sets ends what a receiver asked for.
class CodecControl {
public:
    /// Every setting becomes the preset's; nothing: they stay as they are and are the owner's.
    void set_quality(std::optional<Quality> quality);
    /// Another table of presets. Settings of the owner stay.
    void set_direction(wire::Direction direction);
    /// `change` gets the settings to change one; they are the owner's then.
    template <typename Change>
    void change(Change &&change)
    {
        std::forward<Change>(change)(settings_);
        quality_.reset();
        request_ = {};
    }
    /// What the event leaves out stays as it was asked for before.
    void request(const EncoderRequest &request);
    /// Whoever asked does not any more.
    void withdraw_request() { request_ = {}; }
    void set_limits(const BitrateLimits &limits) { limits_ = limits; }

    /// How to code.
    [[nodiscard]] EncoderSettings effective() const { return honour(request_, settings_, limits_); }
    /// What the owner set, without what was asked for.
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
