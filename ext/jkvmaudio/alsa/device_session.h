// SPDX-License-Identifier: LGPL-2.1-or-later
// Keeps one of several ALSA devices open and running: opens, reopens, resumes and closes devices
// as a DeviceSupervisor decides.
#pragma once

#include "alsa/alsa_device.h"
#include "core/device/device_supervisor.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jkvm {

/// A change of a device's state.
struct DeviceReport {
    DeviceState state = DeviceState::search;
    DeviceTrouble trouble = DeviceTrouble::none;
    std::string device; ///< open now, or the one that failed
    std::string detail; ///< ALSA's reason; empty while a device is open
};

/// Returns the trouble that an error from opening or using a device means.
DeviceTrouble trouble_of(const Error &error);

/// Serves capture and playback alike: the engine, which implements Stream, processes the samples.
/// Thread-bound.
class DeviceSession {
public:
    /// The engine's stream on the open device.
    class Stream {
    public:
        /// Opens and configures the device of that ALSA name without starting it.
        virtual Status open_stream(const std::string &pcm_name) = 0;
        virtual Status start_stream() = 0;
        /// Stops the device and discards the content of its ring.
        virtual void stop_stream() = 0;
        virtual AlsaDevice::Resumed resume_stream() = 0;
        virtual void close_stream() = 0;
        /// The device was opened or resumed and counts from 0.
        virtual void on_stream_opened() = 0;
        virtual void on_device_changed(const DeviceReport &report) = 0;

    protected:
        ~Stream() = default;
    };

    /// `devices`: as users name them, tried in this order. `stream` outlives the session.
    DeviceSession(std::vector<std::string> devices, Stream &stream);

    /// Opens the first device that works. If none does, returns the error of the first in the list.
    Status open(MonotonicTime now);
    /// Starts the open device, and from now on every device as soon as it is opened.
    void start();
    /// Stops the open device; it stays open.
    void pause();
    [[nodiscard]] bool is_started() const { return is_started_; }

    /// Opens a device or resumes the suspended one, if an attempt is due. Returns whether one was.
    bool retry(MonotonicTime now);
    /// Closes the device, which can no longer be used.
    void lose(DeviceTrouble trouble, const char *reason);
    void lose(const Error &error);
    /// Keeps the suspended device open; it has to be resumed.
    void suspend();
    /// Replaces the list of devices. Unless the first one is open, closes the open device and tries
    /// the new ones.
    void set_devices(std::vector<std::string> devices, MonotonicTime now);
    /// Replaces the list of devices. An open device stays open; the owner may open one of
    /// preferred_devices() beside it and pass that to on_switched().
    void replace_list(std::vector<std::string> devices) { devices_ = std::move(devices); }
    /// The devices that come before the open one in the list, or all if it is not listed.
    [[nodiscard]] std::span<const std::string> preferred_devices() const;
    /// The stream now uses that device, which was started, instead of the open one.
    void on_switched(std::string device, MonotonicTime now);
    /// Closes the device and reopens one with another configuration.
    void reopen(MonotonicTime now);
    /// Closes the device because it is not needed. No device is opened before reclaim().
    void release();
    void reclaim(MonotonicTime now);
    [[nodiscard]] bool is_released() const { return supervisor_.state() == DeviceState::released; }
    /// Handles a playback device whose pointer has stopped; it stays open.
    void block();
    /// Handles a device that was restarted after an xrun.
    void on_restarted(MonotonicTime now) { supervisor_.on_restarted(now); }
    /// Records that the device transferred a frame of this length. Returns whether it is the first
    /// one since the device was opened; the caller then reports the change of state with report().
    bool on_frame(nanoseconds frame, MonotonicTime now) { return supervisor_.on_frame(frame, now); }
    /// Passes the current state to Stream::on_device_changed().
    void report();

    /// Whether the owner has not taken the last failure yet; take_failure() returns and clears it.
    [[nodiscard]] bool has_failure() const { return failure_.has_value(); }
    Error take_failure();

    [[nodiscard]] const DeviceSupervisor &supervisor() const { return supervisor_; }
    /// Configured name of the device that is open, or was open last.
    [[nodiscard]] const std::string &device() const { return device_; }

private:
    enum class Stage {
        closed,
        open,
        suspended, ///< open, and has to be resumed
    };

    static DeviceSupervisor make_supervisor();
    bool start_device(MonotonicTime now);
    void resume(MonotonicTime now);
    void on_opened(MonotonicTime now);
    void close();
    void lose(DeviceTrouble trouble, const Error &error);

    std::vector<std::string> devices_;
    Stream &stream_;
    DeviceSupervisor supervisor_;
    Stage stage_ = Stage::closed;
    bool is_started_ = false; // while it is, an open device runs
    std::string device_;
    Error error_{ErrorKind::device_missing, {}, {}}; // of the last failure
    std::optional<Error> failure_;                   // not taken yet
};

} // namespace jkvm
