// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/source_description.h"

namespace jkvm {

namespace {

DeviceTrouble current_trouble(const CaptureEngine::Device &device)
{
    const bool is_in_trouble =
        device.state == DeviceState::search || device.state == DeviceState::lost;
    return is_in_trouble ? device.trouble : DeviceTrouble::none;
}

} // namespace

wire::SourceState describe_source(const CaptureEngine::Device &device, bool is_muted,
                                  const CodecControl &codec)
{
    const auto settings = codec.effective();
    const bool is_requested = settings != codec.settings();
    // A request changes some settings of a preset only.
    const auto quality = is_requested ? std::nullopt : codec.quality();
    return {.device_state = name_of(device.state),
            .reason = name_of(current_trouble(device)),
            .muted = is_muted,
            .quality = quality ? quality_nicks.at(static_cast<std::size_t>(*quality)) : "custom",
            .bitrate = settings.bitrate,
            .complexity = settings.complexity,
            .frame = settings.frame,
            .dtx = settings.dtx,
            .packet_loss_percentage = settings.packet_loss_percentage,
            .decided_by = is_requested ? "request" : "properties"};
}

} // namespace jkvm
