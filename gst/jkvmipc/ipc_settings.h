// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that jkvmipcsink and jkvmipcsrc have in common: the peer's address, the role and
// the dialect.
#pragma once

#include "common/property_table.h"
#include "common/stats_report.h"
#include "core/base/result.h"
#include "core/ipc/socket/endpoint.h"
#include "core/wire/dialect.h"

#include <gst/gst.h>

namespace jkvm {

enum class Mode {
    automatic, ///< the role of JetKVM's own processes on this path
    listen,
    connect,
};

struct IpcSettings {
    /// `is_sink`: which of the two elements it configures; decides the automatic role and dialect.
    explicit IpcSettings(bool is_sink);

    /// Returns the endpoint with environment variables and defaults resolved. Error:
    /// `path_unusable` if the group does not exist.
    [[nodiscard]] Result<Endpoint> endpoint() const;
    /// The dialect to use; nothing = that of the peer is recognised, which only a source does.
    [[nodiscard]] std::optional<wire::Dialect> fixed_dialect() const;

    bool is_sink;
    std::string socket_path; ///< empty = the default of the direction
    wire::Direction direction = wire::Direction::output;
    Mode mode = Mode::automatic;
    int dialect; ///< wire::Dialect, or -1 = that of JetKVM's clients, or recognised
    int buffer_size = Endpoint().buffer_size;
    mode_t socket_mode = Endpoint().mode;
    std::string socket_group; ///< empty = the process's own
    std::vector<uid_t> allowed_uids;
    bool mute = false;
    nanoseconds report_interval = StatsReport::default_interval; ///< 0 = never
};

/// The properties that both elements have.
PropertyTable<IpcSettings> ipc_properties(bool is_sink);

} // namespace jkvm
