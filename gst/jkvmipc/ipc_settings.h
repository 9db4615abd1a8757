// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that jkvmipcsink and jkvmipcsrc have in common: where the other end is and what is
// spoken there.
#pragma once

#include "common/stats_report.h"
#include "core/base/result.h"
#include "core/ipc/socket/endpoint.h"
#include "core/wire/dialect.h"

#include <gst/gst.h>

namespace jkvm {

/// One Opus packet a buffer, as opusenc, opusparse and rtpopusdepay make them.
#define JKVM_OPUS_CAPS "audio/x-opus, channel-mapping-family = (int) 0"

enum class Mode {
    automatic, ///< as JetKVM's processes do it on this path
    listen,
    connect,
};

class IpcSettings {
public:
    /// The ids of the common properties; an element's own begin with `own`.
    enum Property : guint {
        socket_path = 1,
        direction,
        mode,
        dialect,
        buffer_size,
        socket_mode,
        socket_group,
        allowed_uids,
        stats_interval,
        own,
    };

    /// `is_sink`: which of the two elements this is; it decides the automatic role.
    explicit IpcSettings(bool is_sink);

    static void install(GObjectClass *klass, bool is_sink);
    /// False: not one of the common properties.
    bool set(guint id, const GValue *value);
    bool get(guint id, GValue *value) const;

    /// All of it resolved: the environment asked, the defaults filled in. Errors: `path_unusable`
    /// when there is no such group.
    [[nodiscard]] Result<Endpoint> endpoint() const;
    /// Nothing = to be recognised, which only a source can.
    [[nodiscard]] std::optional<wire::Dialect> spoken_dialect() const;
    /// How often the statistics are told; 0 = never.
    [[nodiscard]] nanoseconds report_interval() const { return report_interval_; }

private:
    bool is_sink_;
    std::string socket_path_; // empty = by direction
    wire::Direction direction_ = wire::Direction::output;
    Mode mode_ = Mode::automatic;
    int dialect_; // wire::Dialect, or automatic_dialect
    int buffer_size_ = Endpoint().buffer_size;
    mode_t socket_mode_ = Endpoint().mode;
    std::string socket_group_; // empty = the process's own
    std::vector<uid_t> allowed_uids_;
    nanoseconds report_interval_ = std::chrono::milliseconds(StatsReport::default_interval);
};

} // namespace jkvm
