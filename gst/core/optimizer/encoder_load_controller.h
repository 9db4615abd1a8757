// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns the lateness of received frames into requests to the sender's encoder.
#pragma once

#include "core/optimizer/encoder_estimate.h"
#include "core/optimizer/optimizer.h"

namespace jkvm {

/// Translates the Optimizer's level into encoder settings, relative to the encoder's own settings
/// as estimated from its stream at level 0. Back at level 0 the request is withdrawn.
///
/// Thread-bound and without a clock: the caller passes all times, on one clock. Does not allocate.
class EncoderLoadController {
public:
    struct Request {
        wire::EncoderConfig config;
        /// The encoder is to return to its own settings; `config` is the estimate of these.
        bool is_withdrawn;
    };

    /// At any time. Disabling it withdraws the request.
    void configure(bool is_enabled, const OptimizerConfig &config, nanoseconds now);
    void set_format(std::uint32_t sample_rate, std::uint32_t channels)
    {
        estimate_.set_format(sample_rate, channels);
    }
    /// Starts over, for another sender (whose encoder is at its own settings) or another clock.
    void restart(nanoseconds now);

    /// To be called with each frame. `lateness`: by how much it was later than the fastest frame.
    void record(const EncodedFrame &frame, nanoseconds lateness, nanoseconds now);
    /// To be called at idle_deadline(), or more often.
    void on_idle(nanoseconds now);
    /// Empty if nothing can change without a frame.
    [[nodiscard]] std::optional<nanoseconds> idle_deadline() const;

    /// The request to send, if it changed since the last call.
    [[nodiscard]] std::optional<Request> take_request();

    [[nodiscard]] const Optimizer &optimizer() const { return optimizer_; }

private:
    bool is_enabled_ = false;
    Optimizer optimizer_;
    EncoderEstimate estimate_;
    wire::EncoderConfig own_settings_; // the encoder's, estimated before the first request
    unsigned requested_level_ = 0;
};

} // namespace jkvm
