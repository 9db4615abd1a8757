// SPDX-License-Identifier: LGPL-2.1-or-later
// Owned references to GObjects and other types of GLib and GStreamer, and calls into the main loop.
#pragma once

#include <gst/gst.h>
#include <gst/sdp/sdp.h>

#include <functional>
#include <memory>
#include <utility>

namespace jkvm::browser {

struct UnrefObject {
    void operator()(gpointer object) const { g_object_unref(object); }
};
/// A reference to a GObject that is released on destruction.
template <typename T>
using ObjectRef = std::unique_ptr<T, UnrefObject>;

/// Adds a reference to a borrowed object.
template <typename T>
ObjectRef<T> share(T *object)
{
    return ObjectRef<T>(static_cast<T *>(g_object_ref(object)));
}

struct FreeText {
    void operator()(gchar *text) const { g_free(text); }
};
using Text = std::unique_ptr<gchar, FreeText>;

struct FreeError {
    void operator()(GError *error) const { g_error_free(error); }
};
using ErrorPtr = std::unique_ptr<GError, FreeError>;

struct FreeSdp {
    void operator()(GstSDPMessage *sdp) const { gst_sdp_message_free(sdp); }
};
using SdpPtr = std::unique_ptr<GstSDPMessage, FreeSdp>;

using Task = std::function<void()>;

/// Runs the task in the main loop. Any thread.
inline void run_in_main_loop(Task task)
{
    g_idle_add_full(
        G_PRIORITY_DEFAULT,
        [](gpointer data) -> gboolean {
            (*static_cast<Task *>(data))();
            return G_SOURCE_REMOVE;
        },
        new Task(std::move(task)), [](gpointer data) { delete static_cast<Task *>(data); });
}

/// Calls `handler` at each signal, on the thread that emits it, until the object is destroyed.
inline void on_signal(gpointer object, const char *signal, Task handler)
{
    // G_CONNECT_SWAPPED passes the data first, so that the handler fits every signal.
    g_signal_connect_data(
        object, signal, G_CALLBACK(+[](gpointer data) { (*static_cast<Task *>(data))(); }),
        new Task(std::move(handler)),
        [](gpointer data, GClosure *) { delete static_cast<Task *>(data); }, G_CONNECT_SWAPPED);
}

/// A timer of the main loop that is stopped on destruction.
class Timer {
public:
    Timer() = default;
    Timer(guint milliseconds, Task task)
        : id_(g_timeout_add_full(
              G_PRIORITY_DEFAULT, milliseconds,
              [](gpointer data) -> gboolean {
                  // The task may destroy the timer.
                  const auto task = *static_cast<Task *>(data);
                  task();
                  return G_SOURCE_CONTINUE;
              },
              new Task(std::move(task)), [](gpointer data) { delete static_cast<Task *>(data); }))
    {}
    Timer(Timer &&other) noexcept : id_(std::exchange(other.id_, 0)) {}
    Timer &operator=(Timer &&other) noexcept
    {
        std::swap(id_, other.id_);
        return *this;
    }
    Timer(const Timer &) = delete;
    ~Timer()
    {
        if (id_ != 0)
            g_source_remove(id_);
    }

private:
    guint id_ = 0;
};

} // namespace jkvm::browser
