// SPDX-License-Identifier: LGPL-2.1-or-later
// A receiver's part in how its sound is encoded: what it asks of the sender, by how late it comes.
#pragma once

#include "core/optimizer/encoder_estimate.h"
#include "core/optimizer/optimizer.h"

namespace jkvm {

/// Makes requests of the Optimizer's levels. The encoder is asked for a part of what it does by
/// itself, which is what its stream showed at level 0; and at level 0 the request is withdrawn.
///
/// Thread-bound, and without a clock: every time is the caller's, on one clock. Allocates nothing.
class EncoderSaver {
public:
    struct Request {
        wire::EncoderConfig config;
        /// The encoder is to go back to its own settings. Those of `config` are what they are
        /// believed to be.
        bool is_withdrawn;
    };

    /// At any time. What is no longer wanted is withdrawn.
    void configure(bool is_wanted, const OptimizerConfig &config, nanoseconds now);
    void set_sound(std::uint32_t sample_rate, std::uint32_t channels)
    {
        estimate_.set_sound(sample_rate, channels);
    }
    /// Another sender, which is at its own settings; or another clock from now on.
    void restart(nanoseconds now);

    /// A frame came. `lateness`: how much later than it could have.
    void record(const EncodedFrame &frame, nanoseconds lateness, nanoseconds now);
    /// No frame came: to be called at next_look(), at least.
    void look(nanoseconds now);
    /// Nothing: there is nothing to look for.
    [[nodiscard]] std::optional<nanoseconds> next_look() const;

    /// What the sender has to be told since the last call.
    [[nodiscard]] std::optional<Request> take_request();

    [[nodiscard]] const Optimizer &optimizer() const { return optimizer_; }

private:
    bool is_wanted_ = false;
    Optimizer optimizer_;
    EncoderEstimate estimate_;
    wire::EncoderConfig preset_; // what it did by itself before the first request
    unsigned told_level_ = 0;
};

} // namespace jkvm
