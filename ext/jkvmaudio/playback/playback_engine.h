// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays each packet on an ALSA device at its due time; drops packets while the device is
// unavailable.
#pragma once

#include "alsa/device_session.h"
#include "alsa/playback_pcm.h"
#include "core/playback/ring_target.h"
#include "core/playback/timestamp_rate.h"
#include "playback/playback_output.h"
#include "playback/playback_queue.h"
#include "playback/stream_decoder.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace jkvm {

/// Owns the device, the stream's decoder and its resampler. While the device is missing, blocked or
/// lost, packets are dropped; when it plays again, playback continues with the newest packet. Bound
/// to one thread, which calls step() at the time that the last step() returned, or as soon as an
/// item was queued.
class PlaybackEngine final : private DeviceSession::Stream {
public:
    struct Config {
        std::vector<std::string> devices;
        nanoseconds period = std::chrono::milliseconds(10);
        nanoseconds buffer_time = std::chrono::milliseconds(200);
        /// Whether to resample to the device's clock and to stretched timestamps.
        bool follows_clock = true;
        /// Used instead of resampling, if it is set and the device has such a control.
        PitchControlFactory open_pitch_control = {};
    };
    /// A packet whose first sample is going to be played at `time`.
    struct PlayedPacket {
        MonotonicTime time;
        nanoseconds error;                ///< `time` less the due time
        std::optional<WallTime> captured; ///< when it was captured, if that is known
    };
    /// Called by step().
    class Host {
    public:
        virtual void on_device_changed(const DeviceReport &report) = 0;
        virtual void on_latency_changed(nanoseconds latency) = 0;
        /// At `time` the device had played audio of the duration `position` since its start.
        virtual void on_device_position(nanoseconds position, MonotonicTime time) = 0;
        virtual void on_played(const PlayedPacket &packet) = 0;

    protected:
        ~Host() = default;
    };
    struct Counters {
        std::uint64_t packets = 0; ///< played
        std::uint64_t bytes = 0;
        std::uint64_t underruns = 0;          ///< times that the ring ran out of audio
        std::uint64_t dropped_late = 0;       ///< packets whose due time had passed
        std::uint64_t dropped_queue_full = 0; ///< items, while the device's thread was blocked
        std::uint64_t dropped_no_device = 0;  ///< packets while no device played
        std::uint64_t dropped_flush = 0;      ///< packets taken from the queue before a flush
        std::uint64_t realignments = 0;       ///< playout errors that were corrected at once
        OpusFrameDecoder::Counters decoder;
        std::array<std::uint64_t, device_troubles> recoveries{}; ///< by the trouble before
    };
    struct Snapshot {
        DeviceState state = DeviceState::search;
        DeviceTrouble trouble = DeviceTrouble::none;
        std::string device;        ///< name of the open device; empty if none is open
        AlsaDevice::Format format; ///< of the open device
        double ratio_ppm = 0;      ///< deviation of the resampling ratio from 1
        double pitch_ppm = 0;      ///< deviation of the device's pitch control from 1
        double drift_ppm = 0;      ///< of the device's clock against CLOCK_MONOTONIC
        nanoseconds playout_error{0};
        nanoseconds depth{0}; ///< written and not yet played
        nanoseconds ring_target{0};
        nanoseconds latency{0};      ///< see PlaybackEngine::latency()
        MonotonicTime playout_end{}; ///< of the last sample; in the past if nothing is playing
        Counters counters;
    };

    /// `queue` and `host` outlive the engine.
    PlaybackEngine(Config config, PlaybackQueue &queue, Host &host);

    /// Value of latency() until a device is open.
    static constexpr nanoseconds initial_latency = RingTarget::initial + VariableResampler::delay;

    /// Replaces the list of devices. Unless the first one of them is open already, the open device
    /// is closed and the new ones are tried at once.
    void set_devices(std::vector<std::string> devices);
    /// Processes all due work. Returns the time at which it has to be called again.
    /// After a flush of the queue, it first discards the audio that was written and not yet played.
    MonotonicTime step();
    /// Sets the volume from the next packet on, ramped over that packet; 1 = unchanged.
    void set_gain(double gain) { gain_target_ = gain; }

    /// Whether every item that was taken from the queue has been played or dropped.
    [[nodiscard]] bool is_idle() const { return !has_item_; }
    /// Writes the present state into `snapshot`. Does not allocate if the snapshot already
    /// contained the same device.
    void update(Snapshot &snapshot) const;
    /// How long before its due time a packet has to be queued.
    [[nodiscard]] nanoseconds latency() const { return target_.time() + output_.delay(); }

private:
    Status open_stream(const std::string &pcm_name) override;
    Status start_stream() override { return output_.start(); }
    void stop_stream() override { output_.stop(); }
    AlsaDevice::Resumed resume_stream() override { return output_.resume(); }
    void close_stream() override { output_.close(); }
    void on_stream_opened() override {}
    void on_device_changed(const DeviceReport &report) override { host_.on_device_changed(report); }

    [[nodiscard]] const DeviceSupervisor &supervisor() const { return session_.supervisor(); }
    /// Reads the pointer of the open device and handles its errors.
    void update_device();
    void on_underrun();
    void check_progress(MonotonicTime now);
    void report_changes();
    void flush();
    void play_items(MonotonicTime now);
    /// Returns whether the item was played or dropped.
    bool play(MonotonicTime now);
    bool play_audio(MonotonicTime now);
    void end_stream();
    /// Whether the stream is Opus and its end can be extended by concealment.
    [[nodiscard]] bool can_conceal() const;
    /// Extends the audio in the ring if it runs low and the next packet is late or lost.
    void conceal_late_packet(MonotonicTime now);
    /// Fills the gap between the audio in the ring and `next`, with in-band FEC if `next` contains
    /// it.
    void fill_loss(const QueuedItem &next);
    void conceal(MonotonicTime begin, nanoseconds duration, std::span<const std::byte> next);
    void update_target(MonotonicTime now);

    Config config_;
    PlaybackQueue &queue_;
    Host &host_;
    DeviceSession session_;
    PlaybackOutput output_;
    StreamDecoder decoder_;
    RingTarget target_;
    QueuedItem item_; // taken from the queue and not yet played
    bool has_item_ = false;
    bool is_stream_active_ = false; // the next packet continues the written audio
    PlaybackFormat format_;         // of the last packet
    TimestampRate timestamps_;
    std::optional<MonotonicTime> loss_begin_; // due time of the first sample that was concealed
    MonotonicTime announced_until_{};         // due time at which the last announced gap ends
    nanoseconds reported_latency_ = initial_latency;
    double gain_target_ = 1;
    Counters counters_;
};

} // namespace jkvm
