// SPDX-License-Identifier: LGPL-2.1-or-later
// The upstream event by which a receiver requests other settings of the encoder.
#pragma once

#include "common/fields.h"
#include "core/base/result.h"
#include "core/wire/control.h"
#include "core/wire/message.h"
#include "core/wire/side_message.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// The settings that an event requests. A field without a value stays unchanged.
struct EncoderRequestEvent {
    wire::EncoderConfigFields fields;
    std::optional<std::uint32_t> packet_loss_percentage; ///< share of lost packets, 0 to 100
    bool is_withdrawal = false;
};

/// The name of the event's structure.
inline constexpr const char *encoder_request_name = "jkvm-encoder-request";

/// Returns the requested ones of the fields rate (Hz), channels, frame-size (samples per channel),
/// bitrate (bit/s), complexity (0 to 10), signal (libopus' number), bandwidth (libopus' number),
/// packet-loss-percentage, all guint except signal (gint), and vbr and dtx (gboolean).
Fields encoder_request_fields(const wire::SettingsRequest &request);

/// Makes a GST_EVENT_CUSTOM_UPSTREAM with these fields. Another sender of the event may use any
/// integer type, and add quality (gchararray, the nick of a preset), over which the other fields
/// take precedence.
GstEvent *make_encoder_request(const wire::SettingsRequest &request);
GstEvent *make_encoder_request(const wire::EncoderConfig &config);

/// Makes the same event with the field withdrawn (gboolean) = TRUE: nothing is requested any more,
/// and the encoder returns to its own settings. `config`: an estimate of these, for an encoder that
/// cannot restore them.
GstEvent *make_encoder_withdrawal(const wire::EncoderConfig &config);

[[nodiscard]] bool is_encoder_request(GstEvent *event);

/// `direction`: selects the table of presets. Error: `request_invalid` for an event with a field
/// that is unknown, has the wrong type or is out of its range; the subject names it.
Result<EncoderRequestEvent> parse_encoder_request(GstEvent *event, wire::Direction direction);

} // namespace jkvm
