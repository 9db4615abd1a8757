// SPDX-License-Identifier: LGPL-2.1-or-later
// Sets the speed of a playback device that has a control for it, such as a USB gadget.
#pragma once

#include <alsa/asoundlib.h>

#include <functional>
#include <memory>

namespace jkvm {

/// Speed of a device in millionths of its nominal rate. Thread-bound.
class PitchControl {
public:
    static constexpr long nominal = 1'000'000;

    virtual ~PitchControl() = default;
    /// `pitch`: between minimum() and maximum(). Takes effect within some milliseconds. Returns
    /// false if the control has failed.
    [[nodiscard]] virtual bool set(long pitch) = 0;
    [[nodiscard]] virtual long minimum() const = 0;
    [[nodiscard]] virtual long maximum() const = 0;
};

/// Opens the control of an open device; null if it has none.
using PitchControlFactory = std::function<std::unique_ptr<PitchControl>(snd_pcm_t *pcm)>;

/// Opens the control "Playback Pitch 1000000", which Linux' UAC2 gadget has.
std::unique_ptr<PitchControl> open_pitch_control(snd_pcm_t *pcm);

} // namespace jkvm
