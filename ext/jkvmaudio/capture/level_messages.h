// SPDX-License-Identifier: LGPL-2.1-or-later
// Posts jkvm-level when the input of jkvmaudiosrc becomes silent, clips, or has audio again.
#pragma once

#include "common/element_message.h"
#include "common/property_table.h"
#include "core/device/level_watch.h"

#include <span>

namespace jkvm {

struct LevelSettings {
    bool posts_messages = false;
    nanoseconds silence_after = std::chrono::seconds(10); ///< 0 = never
};

const PropertyTable<LevelSettings> &level_properties();

/// Belongs to the streaming thread, except for configure().
class LevelMessages {
public:
    explicit LevelMessages(GstElement *element) : messages_(element, "jkvm-level") {}

    /// Any thread: takes effect with the next frame.
    void configure(const LevelSettings &settings) { *settings_.lock() = settings; }

    /// To be called before the stream starts: the state is that of audio.
    void reset() { watch_ = {}; }
    /// The device delivered a frame; see LevelWatch::record(). Must be called without a lock.
    void on_input(std::span<const std::int16_t> samples, unsigned channels, nanoseconds duration);
    /// No device delivered the frame.
    void on_no_device() { watch_.interrupt(); }

private:
    Guarded<LevelSettings> settings_;
    LevelWatch watch_;
    ElementMessages messages_;
};

} // namespace jkvm
