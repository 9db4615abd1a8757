// SPDX-License-Identifier: LGPL-2.1-or-later
#include "worker_control.h"

#include "relayed_message.h"

#include "core/base/time.h"

#include <glib-unix.h>

#include <poll.h>

#include <utility>

namespace jkvm {

namespace {

// Time for the last messages before the worker ends. The bin usually reads at once.
constexpr int final_flush_timeout = 200; // ms

void remove_source(guint &source)
{
    if (const auto id = std::exchange(source, 0); id != 0)
        g_source_remove(id);
}

} // namespace

WorkerControl::WorkerControl(int fd, GstElement *link) : link_(link)
{
    connection_.open(UniqueFd(fd));
    const auto on_readable = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->receive();
        return G_SOURCE_CONTINUE;
    };
    const auto on_queued = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->flush();
        return G_SOURCE_CONTINUE;
    };
    readable_ = g_unix_fd_add(connection_.fd(), G_IO_IN, on_readable, this);
    queued_ = g_unix_fd_add(connection_.wake_fd(), G_IO_IN, on_queued, this);
}

WorkerControl::~WorkerControl()
{
    const auto deadline = monotonic_now() + std::chrono::milliseconds(final_flush_timeout);
    while (connection_.fd() >= 0 && !connection_.flush() && monotonic_now() < deadline) {
        pollfd writable{connection_.fd(), POLLOUT, 0};
        ::poll(&writable, 1, final_flush_timeout);
    }
    disconnect();
}

void WorkerControl::disconnect()
{
    for (auto *source : {&readable_, &writable_, &queued_})
        remove_source(*source);
    connection_.close();
}

void WorkerControl::flush()
{
    const auto on_writable = [](gint, GIOCondition, gpointer self) noexcept -> gboolean {
        static_cast<WorkerControl *>(self)->writable_ = 0;
        static_cast<WorkerControl *>(self)->flush();
        return G_SOURCE_REMOVE;
    };
    if (!connection_.flush() && writable_ == 0)
        writable_ = g_unix_fd_add(connection_.fd(), G_IO_OUT, on_writable, this);
}

void WorkerControl::receive()
{
    using Received = ControlConnection::Received;
    ControlMessage message;
    for (;;) {
        switch (connection_.receive(message)) {
        case Received::message:
            break;
        case Received::nothing:
            return;
        case Received::closed:
        case Received::invalid:
            return disconnect();
        }
    }
}

void WorkerControl::on_message(GstMessage *message)
{
    // The bin's own element at the other end of the link reports the link's state.
    if (GST_MESSAGE_SRC(message) == GST_OBJECT(link_) &&
        GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT)
        return;
    if (const auto control = describe_message(message))
        connection_.send(*control);
}

} // namespace jkvm
