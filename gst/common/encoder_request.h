// SPDX-License-Identifier: LGPL-2.1-or-later
// The upstream event with which a receiver asks an encoder to work in another way.
#pragma once

#include "core/wire/control.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// A GST_EVENT_CUSTOM_UPSTREAM whose structure is named jkvm-encoder-request and has the fields
/// rate (Hz), channels, frame-size (samples per channel), bitrate (bit/s), complexity (0..10),
/// signal (libopus' number), bandwidth (libopus' number), all guint but signal (gint), and vbr and
/// dtx (gboolean). Who knows how much gets lost on the way adds packet-loss-percentage (guint).
GstEvent *make_encoder_request(const wire::EncoderConfig &config);

/// The same event with the field withdrawn (gboolean) = TRUE: whoever asked does not any more, and
/// the encoder goes back to its own settings. `config`: what these are believed to be, for an
/// encoder that does not know them.
GstEvent *make_encoder_withdrawal(const wire::EncoderConfig &config);

/// Of an event that parse_encoder_request() takes.
bool is_withdrawal(GstEvent *event);

/// What the event asks for; a field that it does not have is as in `now`. Nothing for another
/// event.
std::optional<wire::EncoderConfig> parse_encoder_request(GstEvent *event,
                                                         const wire::EncoderConfig &now);

/// The share of packets that gets lost, in percent, where the event says so.
std::optional<std::uint32_t> parse_expected_loss(GstEvent *event);

} // namespace jkvm
