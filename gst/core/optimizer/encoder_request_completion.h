// SPDX-License-Identifier: LGPL-2.1-or-later
// Completes a receiver's partial encoder requests, because OpusConfig has no optional fields.
#pragma once

#include "core/optimizer/encoder_estimate.h"

#include <optional>

namespace jkvm {

/// Takes the fields that a request does not name from earlier requests, or else from the encoder's
/// settings as the stream shows them. A request that needs the latter waits until the stream shows
/// them: the format with the first packet, the other settings after a few packets if the bitrate is
/// constant, otherwise after a second. Not thread-safe; every time is the caller's, on one clock.
class EncoderRequestCompletion {
public:
    /// Duration of audio that determines a stream's bitrate, and the maximum time to wait for that
    /// audio.
    static constexpr nanoseconds observation_time = std::chrono::seconds(1);

    struct Request {
        wire::EncoderConfig config;
        /// The encoder is to return to its own settings, which `config` estimates.
        bool is_withdrawal;
    };

    /// A connection was established. Its encoder may have other settings than the previous one;
    /// earlier requests still apply.
    void on_connected(MonotonicTime now);
    void on_disconnected() { connected_.reset(); }
    void set_format(const wire::StreamConfig &stream)
    {
        estimate_.set_format(stream.sample_rate, stream.channels);
    }
    /// A frame was received.
    void record(const EncodedFrame &frame);

    /// Adds a request. False: its fields contradict each other or the stream, and it is ignored.
    bool request(const wire::EncoderConfigFields &fields, MonotonicTime now);
    /// Sets the fields that are requested until they are set again: those of the receiver's own
    /// configuration. The other requests take precedence. False: the fields contradict each other
    /// or the stream, and they are ignored.
    bool set_configured(const wire::EncoderConfigFields &fields, MonotonicTime now);
    /// Withdraws all requests except the configured fields. `fields`: settings of the encoder
    /// itself that the caller knows.
    void withdraw(const wire::EncoderConfigFields &fields, MonotonicTime now);
    /// Returns the fields that are requested, not completed.
    [[nodiscard]] wire::EncoderConfigFields fields() const
    {
        return configured_.merged_with(added_);
    }
    /// Returns the request that has to be sent now, once. To be called after request() and after
    /// each frame.
    [[nodiscard]] std::optional<Request> take_due(MonotonicTime now);

private:
    enum class Change {
        addition,    ///< to the requested fields
        replacement, ///< of all requested fields
        withdrawal,
    };
    struct Pending {
        wire::EncoderConfigFields fields;
        Change change;
        MonotonicTime since;
    };
    [[nodiscard]] bool is_valid(const wire::EncoderConfigFields &fields) const;
    /// Whether the estimate has the values of all fields that the pending request does not name.
    [[nodiscard]] bool is_estimate_usable(const Pending &pending, MonotonicTime now) const;

    EncoderEstimate estimate_;
    std::optional<MonotonicTime> connected_;
    nanoseconds received_{0}; // audio, on this connection
    wire::EncoderConfigFields configured_;
    wire::EncoderConfigFields added_;                // by request(), since the last withdrawal
    std::optional<wire::EncoderConfig> requested_;   // the sum of the requests
    std::optional<wire::EncoderConfig> unrequested_; // the estimate before the first request
    std::optional<Pending> pending_;
};

} // namespace jkvm
