// SPDX-License-Identifier: LGPL-2.1-or-later
// Annotates the synchronisation of GLib and GStreamer for ThreadSanitizer.
//
// Debian's libraries are not instrumented, and GMutex uses futexes directly: ThreadSanitizer does
// not see that a lock, a queue or a reference count orders two threads, and reports every hand-over
// of a buffer as a race. These functions override those of the libraries, call them, and annotate
// the order. Nothing is suppressed: races in jkvm's code are still reported.
//
// Linked into the test programs of a build with -Db_sanitize=thread, and only there.
#include <gst/gst.h>

#include <dlfcn.h>

extern "C" {
void __tsan_acquire(void *address);
void __tsan_release(void *address);
}

namespace {

/// Returns the function of this name in the next library.
template <typename Function>
Function *next(const char *name)
{
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

#define NEXT(function) static const auto real = next<decltype(function)>(#function)

} // namespace

extern "C" {

void(g_mutex_lock)(GMutex *mutex)
{
    NEXT(g_mutex_lock);
    real(mutex);
    __tsan_acquire(mutex);
}

gboolean(g_mutex_trylock)(GMutex *mutex)
{
    NEXT(g_mutex_trylock);
    const gboolean is_locked = real(mutex);
    if (is_locked)
        __tsan_acquire(mutex);
    return is_locked;
}

void(g_mutex_unlock)(GMutex *mutex)
{
    NEXT(g_mutex_unlock);
    __tsan_release(mutex);
    real(mutex);
}

void(g_cond_wait)(GCond *cond, GMutex *mutex)
{
    NEXT(g_cond_wait);
    __tsan_release(mutex);
    real(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean(g_cond_wait_until)(GCond *cond, GMutex *mutex, gint64 end_time)
{
    NEXT(g_cond_wait_until);
    __tsan_release(mutex);
    const gboolean is_signalled = real(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return is_signalled;
}

// GLib's internal calls bypass the functions above, so its queue is annotated separately.

void(g_async_queue_push)(GAsyncQueue *queue, gpointer data)
{
    NEXT(g_async_queue_push);
    __tsan_release(queue);
    real(queue, data);
}

gpointer(g_async_queue_pop)(GAsyncQueue *queue)
{
    NEXT(g_async_queue_pop);
    auto *data = real(queue);
    __tsan_acquire(queue);
    return data;
}

gpointer(g_async_queue_try_pop)(GAsyncQueue *queue)
{
    NEXT(g_async_queue_try_pop);
    auto *data = real(queue);
    __tsan_acquire(queue);
    return data;
}

gpointer(g_async_queue_timeout_pop)(GAsyncQueue *queue, guint64 timeout)
{
    NEXT(g_async_queue_timeout_pop);
    auto *data = real(queue, timeout);
    __tsan_acquire(queue);
    return data;
}

// Uses of an object before a reference is released precede its destruction by the thread that
// releases the last reference, and its next use if it returns to a pool.

void(gst_mini_object_unref)(GstMiniObject *object)
{
    NEXT(gst_mini_object_unref);
    __tsan_acquire(object);
    __tsan_release(object);
    real(object);
}

GstFlowReturn(gst_buffer_pool_acquire_buffer)(GstBufferPool *pool, GstBuffer **buffer,
                                              GstBufferPoolAcquireParams *params)
{
    NEXT(gst_buffer_pool_acquire_buffer);
    const auto result = real(pool, buffer, params);
    if (result == GST_FLOW_OK)
        __tsan_acquire(*buffer);
    return result;
}

gboolean(gst_bus_post)(GstBus *bus, GstMessage *message)
{
    NEXT(gst_bus_post);
    __tsan_release(bus);
    return real(bus, message);
}

GstMessage *(gst_bus_timed_pop_filtered)(GstBus *bus, GstClockTime timeout, GstMessageType types)
{
    NEXT(gst_bus_timed_pop_filtered);
    auto *message = real(bus, timeout, types);
    __tsan_acquire(bus);
    return message;
}

} // extern "C"
