// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/level_messages.h"

#include "core/device/gain.h"

namespace jkvm {

const PropertyTable<LevelSettings> &level_properties()
{
    using namespace std::chrono_literals;
    using L = LevelSettings;
    static const PropertyTable<L> table{
        row("level-messages", "Level messages",
            "Whether to post jkvm-level when the input becomes silent, clips, or has audio again",
            AnyValue{}, mutable_playing, &L::posts_messages),
        row("silence-after", "Silence after",
            "Duration of an input below -60 dBFS after which jkvm-level reports silence (ms); 0 = "
            "never",
            between(0ms, 1h), mutable_playing, &L::silence_after),
    };
    return table;
}

void LevelMessages::on_input(std::span<const std::int16_t> samples, unsigned channels,
                             nanoseconds duration)
{
    const auto settings = settings_.snapshot();
    if (!settings.posts_messages) {
        watch_ = {};
        return;
    }
    if (const auto change = watch_.record(samples, channels, duration, settings.silence_after))
        messages_.post(name_of(change->state), Fields()
                                                   .set("peak", to_decibels(change->peak))
                                                   .set("silent-time", change->silent_time));
}

} // namespace jkvm
