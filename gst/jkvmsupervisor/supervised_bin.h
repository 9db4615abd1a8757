// SPDX-License-Identifier: LGPL-2.1-or-later
// Connects a bin with a worker process that produces or consumes its audio.
#pragma once

#include "common/fields.h"
#include "common/gst_ref.h"
#include "core/base/guarded.h"
#include "core/supervise/supervisor.h"
#include "supervisor_settings.h"
#include "worker_relay.h"

#include <memory>

namespace jkvm {

/// The implementation of jkvmsupervisedsrc and jkvmsupervisedsink, which differ only in their side.
/// The bin contains an IPC element of the same direction, named "ipc"; the worker is its peer on a
/// private socket.
class SupervisedBin : public Supervisor::Observer {
public:
    enum class Side { source, sink };

    SupervisedBin(GstElement *element, Side side);

    /// Installs the properties, the pad template and the metadata of the class.
    static void configure_class(GstElementClass *klass, Side side, const char *long_name,
                                const char *description);

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    /// To be called by the element's dispose().
    void dispose() { relay_.remove_elements(); }

    // GstChildProxy: the elements of the bin, and the shadows of those in the worker.
    [[nodiscard]] guint children_count() const;
    /// Transfer full; null beyond the last one.
    [[nodiscard]] GObject *child_at(guint index) const;

    void on_child_started(pid_t pid) override;
    void on_child_ended(const ChildExit &exit) override;
    bool on_control_message(const ControlMessage &message) override;
    void on_control_violation() override;
    void on_sample() override { relay_.check_demand(); }
    void on_gave_up(const ChildExit &exit) override;

private:
    struct Session {
        // Null below PAUSED, unless its own thread has closed the element.
        std::unique_ptr<Supervisor> supervisor;
        Supervisor::Stats last; // final ones of the previous supervisor
        std::string socket;
        nanoseconds hang_timeout{0};
    };

    static const PropertyTable<SupervisedBin> &live_properties();
    static gboolean on_client_connecting(GstElement *ipc, gint pid, guint uid, gpointer self);
    [[nodiscard]] const char *side_name() const
    {
        return side_ == Side::source ? "source" : "sink";
    }
    /// Waits for a supervisor whose own thread has closed the element. Returns false in that
    /// thread.
    bool close_previous();
    void on_launch_changed(const std::string &launch);
    void post(const char *reason, Fields fields) const;
    GstStructure *stats() const;

    GstElement *element_;
    Side side_;
    GstElement *ipc_; // owned by the bin; null if the plugin jkvmipc is missing
    GstPad *pad_;     // of the bin
    WorkerRelay relay_;
    Guarded<SupervisorSettings> settings_;
    Guarded<Session> session_; // locked before the supervisor's own mutex
};

/// Implements GstChildProxy in the type of a supervised bin; `bin_of` returns the SupervisedBin of
/// an instance. Must be called before the class is initialised.
template <auto bin_of>
void add_child_proxy(GType type)
{
    const auto init = [](gpointer iface, gpointer) noexcept {
        auto *proxy = static_cast<GstChildProxyInterface *>(iface);
        proxy->get_children_count = [](GstChildProxy *self) noexcept {
            return bin_of(self).children_count();
        };
        proxy->get_child_by_index = [](GstChildProxy *self, guint index) noexcept {
            return bin_of(self).child_at(index);
        };
    };
    const GInterfaceInfo info{init, nullptr, nullptr};
    g_type_add_interface_static(type, GST_TYPE_CHILD_PROXY, &info);
}

} // namespace jkvm
