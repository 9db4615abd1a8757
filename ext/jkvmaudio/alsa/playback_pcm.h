// SPDX-License-Identifier: LGPL-2.1-or-later
// Writes float samples into an ALSA device's ring and reads its hardware pointer.
#pragma once

#include "alsa/alsa_device.h"

#include <cstdint>
#include <span>

namespace jkvm {

/// Frames are counted from start(), including the initial silence. Never blocks.
/// Thread-bound.
class PlaybackPcm {
public:
    enum class Outcome {
        ready,
        underrun,  ///< it has stopped; start() starts it again
        suspended, ///< it needs resume()
        failed,    ///< error() has the reason
    };

    /// Opens without starting. Errors: as AlsaDevice::open().
    static Result<PlaybackPcm> open(const AlsaDevice::Config &config);

    /// Discards the ring's content, fills it with that much silence and starts. Errors:
    /// device_lost.
    Status start(nanoseconds silence);
    void stop() { device_.stop(); }
    AlsaDevice::Resumed resume() { return device_.resume(); }

    /// Reads the hardware pointer. After an error, pointer() keeps its previous value.
    Outcome update();
    /// Frames that the hardware has taken, as of the last update(); never decreases until start().
    [[nodiscard]] std::uint64_t pointer() const { return pointer_; }
    /// Frames written so far.
    [[nodiscard]] std::uint64_t written() const { return written_; }
    /// Frames for which the ring has room, as of the last update().
    [[nodiscard]] std::size_t room() const;
    /// Whether writing has failed since the last update(), which handles the error.
    [[nodiscard]] bool has_failed() const { return write_error_ != 0; }
    /// Delay of the driver and the hardware behind the ring.
    [[nodiscard]] nanoseconds driver_delay();

    /// Writes interleaved samples of `channels` channels, as many frames as there is room for;
    /// mono is played on the first two channels of the device. Returns the frames written; fewer
    /// also if the device fails, which the next update() reports.
    std::size_t write(std::span<const float> samples, unsigned channels);
    std::size_t write_silence(std::size_t frames);
    /// Removes unplayed frames from the end of the ring. Returns the number of frames removed.
    std::size_t rewind(std::size_t frames);

    [[nodiscard]] snd_pcm_t *handle() const { return device_.handle(); } ///< borrowed
    [[nodiscard]] const AlsaDevice::Format &format() const { return device_.format(); }
    [[nodiscard]] std::size_t to_frames(nanoseconds time) const;
    /// The reason for the failure; valid after Outcome::failed.
    [[nodiscard]] const Error &error() const { return device_.error(); }

private:
    explicit PlaybackPcm(AlsaDevice device) : device_(std::move(device)) {}

    template <typename Store>
    std::size_t transfer(std::size_t frames, Store store);

    AlsaDevice device_;
    std::size_t buffer_ = 0; // frames
    std::uint64_t written_ = 0;
    std::uint64_t pointer_ = 0;
    int write_error_ = 0;
};

} // namespace jkvm
