// SPDX-License-Identifier: LGPL-2.1-or-later
// Produces an endless sequence of audio frames: from a device while one works, else silence.
#pragma once

#include "alsa/device_session.h"
#include "capture/capture_frame_reader.h"
#include "capture/device_switch.h"
#include "core/device/capture_health.h"
#include "core/device/ring_size.h"
#include "core/timing/capture_timeline.h"

#include <array>
#include <string>
#include <variant>

namespace jkvm {

/// Thread-bound.
class CaptureEngine final : private DeviceSession::Stream {
public:
    struct Config {
        std::vector<std::string> devices; ///< as users name them, tried in this order
        unsigned channels = 2;
        nanoseconds period{0};
        nanoseconds buffer_time{0};
    };
    /// Both clocks, read together.
    struct Moment {
        nanoseconds running;
        MonotonicTime monotonic;
    };
    /// The element that owns the engine. Called on the streaming thread, and from open().
    class Host {
    public:
        virtual Moment now() = 0;
        virtual void on_device_changed(const DeviceReport &report) = 0;
        /// The device that set_devices() requested cannot be used; the running one stays in use.
        virtual void on_device_refused(const DeviceReport &report) = 0;
        /// latency() may have changed.
        virtual void on_latency_changed() = 0;
        /// `lost`: duration of the lost samples.
        virtual void on_overrun(nanoseconds lost) = 0;
        virtual void on_ring_grown(nanoseconds buffer_time) = 0;
        /// The real rate differs from the reported one, or no longer differs; audio is resampled.
        virtual void on_rate_changed(const CaptureFrameReader::RateReport &report) = 0;
        /// Reports the capture time of the sample at `position`, counted since the device was
        /// started.
        virtual void on_device_position(nanoseconds position, MonotonicTime captured) = 0;

    protected:
        ~Host() = default;
    };
    struct Device {
        DeviceState state = DeviceState::search;
        DeviceTrouble trouble = DeviceTrouble::none;
        std::string name;          ///< of the open device; else empty
        AlsaDevice::Format format; ///< of the open device
        bool is_converted = false;
    };
    struct Counters {
        std::uint64_t overruns = 0;
        nanoseconds lost_time{0};
        std::uint64_t resyncs = 0;
        std::uint64_t silent_frames = 0; ///< frames of silence output because no device worked
        std::array<std::uint64_t, device_troubles> recoveries{}; ///< by the trouble before
        double drift_ppm = 0;
        nanoseconds backlog{0}; ///< unread audio when the last frame was taken
        bool uses_driver_timestamps = false;
        double device_rate = 0; ///< measured if it differs from the reported one, Hz
    };

    /// A frame that is valid until release().
    struct Frame {
        std::span<const std::int16_t> samples; ///< interleaved
        std::span<const std::int16_t> history; ///< the 10 ms before it; empty if unknown
        CaptureTimeline::Stamp stamp;
        bool is_silence; ///< no device delivered it
    };
    /// The WaitControl is set.
    struct Interrupted {};
    /// No device works for this reason; frames of silence follow.
    struct Failure {
        Error error;
    };
    using Event = std::variant<Frame, Interrupted, Failure>;

    /// `host` outlives the engine.
    CaptureEngine(Config config, Host &host);

    /// Opens a device for the first time. Errors: no device works.
    Status open() { return session_.open(monotonic_now()); }
    /// Discards all captured audio and starts a new timeline. To be called before the first next()
    /// and after pause().
    void restart();
    /// Replaces the list of devices. While a device runs, it is used until another one that comes
    /// before it delivers audio, and indefinitely if none can be opened.
    void set_devices(std::vector<std::string> devices);
    /// Closes the device because its audio is not needed. next() must not be called until
    /// reclaim_device(), which opens a device again; the timeline continues at that time.
    void release_device();
    void reclaim_device();
    [[nodiscard]] bool has_released_device() const { return session_.is_released(); }
    void pause();
    [[nodiscard]] bool is_started() const { return session_.is_started(); }
    /// Takes effect with the next frame. `samples`: per channel; `look_ahead`: of the encoder. When
    /// the look-ahead changes, samples are read twice or skipped so that decoded audio continues.
    void set_frame(std::size_t samples, nanoseconds look_ahead);
    void set_following_clock(bool is_following) { timeline_.set_following_clock(is_following); }

    /// Blocks until there is something to report.
    Event next(const WaitControl &control);
    /// Returns the memory of the last Frame to the engine.
    void release();

    /// Time from a frame's timestamp until the frame is complete.
    [[nodiscard]] nanoseconds latency() const;
    /// Running time at which the last frame ended; nothing before the first.
    [[nodiscard]] std::optional<nanoseconds> position() const { return timeline_.next(); }
    [[nodiscard]] Device device() const;
    [[nodiscard]] const Counters &counters() const { return counters_; }

private:
    /// Continuity of the device's samples since it was opened.
    enum class Progress {
        none,        ///< it has not delivered any
        aligning,    ///< it delivered some; none of them is on the timeline yet
        interrupted, ///< samples were lost before the next frame
        steady,      ///< each frame follows the one before
    };

    Status open_stream(const std::string &pcm_name) override;
    Status start_stream() override { return reader_->start(); }
    void stop_stream() override { reader_->stop(); }
    AlsaDevice::Resumed resume_stream() override { return reader_->resume(); }
    void close_stream() override;
    void on_stream_opened() override;
    void on_device_changed(const DeviceReport &report) override { host_.on_device_changed(report); }

    [[nodiscard]] const DeviceSupervisor &supervisor() const { return session_.supervisor(); }
    [[nodiscard]] bool is_running() const { return supervisor().state() == DeviceState::run; }
    [[nodiscard]] nanoseconds frame_time() const;
    /// Running time at which the next frame of silence has to be output.
    [[nodiscard]] nanoseconds silence_due() const;
    Result<CaptureFrameReader> open_reader(const std::string &pcm_name) const;
    /// Starts one of the preferred devices beside the running one.
    void start_switch();
    /// Switches to the new device as soon as the running one has delivered all audio before it.
    void advance_switch(const WaitControl &control);
    void finish_switch(MonotonicTime now);
    void refuse(DeviceTrouble trouble, const Error &error);
    CapturePcm::Outcome wait(const WaitControl &control, MonotonicTime deadline);
    /// Handles the outcome of wait(). Returns a frame if there is one to output.
    std::optional<Event> handle(CapturePcm::Outcome outcome);
    void on_overrun();
    void on_rate_changed(const CaptureFrameReader::RateReport &report);
    Frame make_silence();
    /// Checks the reader's frame and places it on the timeline. Returns nothing if the frame is not
    /// to be output.
    std::optional<Event> take_frame();
    /// Returns whether the frame shows neither a stuck nor a free-running device; otherwise closes
    /// the device.
    bool check_health(nanoseconds position, nanoseconds captured);
    /// Places the first frame of a device after silence. Returns the silence that fills the gap
    /// before it, or nothing after it dropped samples that overlap with the silence.
    std::optional<Event> align(nanoseconds captured);
    [[nodiscard]] bool needs_alignment(nanoseconds captured) const;
    void count(const CaptureTimeline::Stamp &stamp, bool is_first);

    Config config_;
    Host &host_;
    DeviceSession session_;
    CaptureTimeline timeline_;
    CaptureHealth health_;
    RingSize ring_;
    std::optional<CaptureFrameReader> reader_; // while a device is open
    std::optional<DeviceSwitch> switch_;       // while another device is about to replace it
    Progress progress_ = Progress::none;
    bool holds_frame_ = false; // of the reader, until release()

    std::size_t frame_samples_ = 0;
    nanoseconds look_ahead_{0};
    std::size_t skip_ = 0; // samples before the next frame
    nanoseconds begin_{0}; // running time of the restart
    std::vector<std::int16_t> zeros_;
    Counters counters_;
};

} // namespace jkvm
