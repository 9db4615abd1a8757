// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of sound for ever: from a device while there is one, else silence.
#pragma once

#include "capture/capture_frame_reader.h"
#include "core/device/capture_health.h"
#include "core/device/device_supervisor.h"
#include "core/device/ring_size.h"
#include "core/timing/capture_timeline.h"

#include <array>
#include <string>

namespace jkvm {

/// What a device did, for who is told of it.
struct DeviceReport {
    DeviceState state = DeviceState::search;
    DeviceTrouble trouble = DeviceTrouble::none;
    std::string device; ///< the one that is open, was, or is first in the list
    std::string detail; ///< what ALSA said; empty where it is well
};

/// Does what its DeviceSupervisor decides. Thread-bound.
class CaptureEngine {
public:
    struct Config {
        std::vector<std::string> devices; ///< tried in this order; names as users write them
        unsigned channels = 2;
        nanoseconds period{0};
        nanoseconds buffer_time{0};
    };
    /// Both clocks, read together.
    struct Moment {
        nanoseconds running;
        MonotonicTime monotonic;
    };
    /// Who it works for; called on the streaming thread, and by open().
    class Host {
    public:
        virtual Moment now() = 0;
        virtual void device_changed(const DeviceReport &report) = 0;
        /// What latency() says may have changed.
        virtual void latency_changed() = 0;
        /// `lost`: how much sound is missing.
        virtual void has_overrun(nanoseconds lost) = 0;
        virtual void ring_has_grown(nanoseconds buffer_time) = 0;
        /// The device has counted `position` by the time that `captured` was.
        virtual void device_counts(nanoseconds position, MonotonicTime captured) = 0;

    protected:
        ~Host() = default;
    };
    enum class Outcome {
        frame,       ///< frame() and stamp() have one
        interrupted, ///< something is wanted of this thread
        trouble,     ///< there is no sound, see error(); what follows is silence
    };
    struct Device {
        DeviceState state = DeviceState::search;
        DeviceTrouble trouble = DeviceTrouble::none;
        std::string name;   ///< as long as one is open
        CapturePcm::Format format; ///< of it
        bool is_converted = false;
    };
    struct Counters {
        std::uint64_t overruns = 0;
        nanoseconds lost_time{0};
        std::uint64_t resyncs = 0;
        std::uint64_t silent_frames = 0; ///< frames that stood for sound that was not there
        std::array<std::uint64_t, device_troubles> recoveries{}; ///< by the trouble before
        double drift_ppm = 0;
        nanoseconds backlog{0}; ///< sound in the ring when the last frame was taken
        bool uses_driver_timestamps = false;
    };

    /// `host` outlives it.
    CaptureEngine(Config config, Host &host);

    /// Looks for a device for the first time. False: there is none now, see error().
    bool open();
    /// What was captured up to now is old, and time begins anew. Before the first next(), and after
    /// pause().
    void restart();
    void pause();
    [[nodiscard]] bool is_started() const { return is_started_; }
    /// From the next frame on; samples per channel, and what the encoder adds. Where that changes,
    /// sound is read twice or left out, so that what is heard goes on.
    void set_frame(std::size_t samples, nanoseconds look_ahead);
    void follow_clock(bool follow) { timeline_.follow_clock(follow); }

    Outcome next(const WaitControl &control);
    /// After Outcome::frame, until release(): interleaved.
    [[nodiscard]] std::span<const std::int16_t> frame() const { return frame_; }
    [[nodiscard]] bool is_silence() const { return is_silence_; }
    [[nodiscard]] const CaptureTimeline::Stamp &stamp() const { return stamp_; }
    void release();
    /// The 10 ms before frame(), or nothing.
    [[nodiscard]] std::span<const std::int16_t> history() const;
    /// Why there is no sound.
    [[nodiscard]] const Error &error() const { return error_; }

    /// How long after its timestamp a frame is complete.
    [[nodiscard]] nanoseconds latency() const;
    [[nodiscard]] Device device() const;
    [[nodiscard]] const Counters &counters() const { return counters_; }

private:
    [[nodiscard]] nanoseconds frame_time() const;
    bool open_device(MonotonicTime now);
    /// Opens a device, or lets the one that was suspended go on.
    void open_again(MonotonicTime now);
    bool start_device(MonotonicTime now);
    void has_opened(MonotonicTime now);
    /// The open device is of no use any more.
    void lose(DeviceTrouble trouble, const Error &error);
    void lose(DeviceTrouble trouble, const char *why);
    void report();
    void has_suspended();
    void has_overrun();
    CapturePcm::Outcome wait(const WaitControl &control, MonotonicTime deadline);
    [[nodiscard]] nanoseconds silence_due() const;
    Outcome give_silence();
    /// Nothing: this frame is not for use.
    std::optional<Outcome> take_frame();
    /// Whether the first frame of a device stands where the last of the silence ended.
    bool is_aligned(nanoseconds captured);
    void count(const CaptureTimeline::Stamp &stamp, bool is_begin);

    Config config_;
    Host &host_;
    DeviceSupervisor supervisor_;
    CaptureTimeline timeline_;
    CaptureHealth watch_;
    RingSize ring_;
    std::optional<CaptureFrameReader> reader_;
    std::string device_; // that is open, or was
    bool is_started_ = false;
    bool is_suspended_ = false; // the reader waits for resume()
    bool has_overrun_ = false;  // since the last frame
    bool has_begun_ = false;    // the device has given sound since it was opened
    bool has_trouble_ = false;  // that next() has not told of
    Error error_{ErrorKind::device_missing, {}, {}};

    std::size_t frame_samples_ = 0;
    nanoseconds look_ahead_{0};
    std::size_t leave_out_ = 0; // samples before the next frame
    nanoseconds begin_{0};      // running time of the restart
    std::vector<std::int16_t> zeros_;
    std::span<const std::int16_t> frame_;
    bool is_silence_ = false;
    CaptureTimeline::Stamp stamp_{};
    Counters counters_;
};

} // namespace jkvm
