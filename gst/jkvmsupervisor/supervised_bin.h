// SPDX-License-Identifier: LGPL-2.1-or-later
// A bin whose sound comes from, or goes to, a worker process that it keeps running.
#pragma once

#include "common/fields.h"
#include "common/gst_ref.h"
#include "core/base/guarded.h"
#include "core/supervise/supervisor.h"
#include "supervisor_settings.h"

#include <memory>

namespace jkvm {

/// What jkvmsupervisedsrc and jkvmsupervisedsink have in common, and that is all but the side:
/// inside is the IPC element of the same direction, and behind the private socket is the worker.
class SupervisedBin : public Supervisor::Observer {
public:
    enum class Side { source, sink };

    SupervisedBin(GstElement *element, Side side);

    /// The properties, the pad template and the words for gst-inspect-1.0.
    static void configure_class(GstElementClass *klass, Side side, const char *long_name,
                                const char *description);

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();

    void child_started(pid_t pid) override;
    void child_ended(const ChildEnd &end) override;
    void gave_up(const ChildEnd &end) override;

private:
    struct Session {
        std::unique_ptr<Supervisor> supervisor; // from READY to PAUSED and back
        Supervisor::Stats last;                 // of the supervisor before
    };

    static gboolean is_client_ours(GstElement *ipc, gint pid, guint uid, gpointer self);
    [[nodiscard]] ChildCommand command(const std::string &launch, const std::string &socket) const;
    void post(const char *reason, Fields fields) const;
    GstStructure *stats() const;

    GstElement *element_;
    Side side_;
    GstElement *ipc_; // owned by the bin; null where the plugin jkvmipc is missing
    Guarded<SupervisorSettings> settings_;
    Guarded<Session> session_; // taken before the supervisor's own lock
};

} // namespace jkvm
