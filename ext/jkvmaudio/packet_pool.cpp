// SPDX-License-Identifier: LGPL-2.1-or-later
#include "packet_pool.h"

#include <atomic>
#include <new>

namespace {

/// Buffers come back on whatever thread drops them.
struct Account {
    std::atomic<std::uint64_t> size{0};
    std::atomic<std::uint64_t> outstanding{0};
    std::atomic<std::uint64_t> acquired{0};
    std::atomic<std::uint64_t> misses{0};
    std::atomic<std::uint64_t> allocations{0};
};

struct JkvmPacketPool {
    GstBufferPool parent;
    Account account;
};
struct JkvmPacketPoolClass {
    GstBufferPoolClass parent;
};

G_DEFINE_TYPE(JkvmPacketPool, jkvm_packet_pool, GST_TYPE_BUFFER_POOL)

Account &account_of(GstBufferPool *pool)
{
    return reinterpret_cast<JkvmPacketPool *>(pool)->account;
}

void jkvm_packet_pool_init(JkvmPacketPool *self)
{
    new (&self->account) Account();
}

void jkvm_packet_pool_class_init(JkvmPacketPoolClass *klass)
{
    auto *pool_class = GST_BUFFER_POOL_CLASS(klass);
    pool_class->alloc_buffer = [](GstBufferPool *self, GstBuffer **buffer,
                                  GstBufferPoolAcquireParams *params) noexcept {
        const auto flow = GST_BUFFER_POOL_CLASS(jkvm_packet_pool_parent_class)
                              ->alloc_buffer(self, buffer, params);
        if (flow == GST_FLOW_OK) {
            ++account_of(self).size;
            ++account_of(self).allocations;
        }
        return flow;
    };
    pool_class->free_buffer = [](GstBufferPool *self, GstBuffer *buffer) noexcept {
        --account_of(self).size;
        GST_BUFFER_POOL_CLASS(jkvm_packet_pool_parent_class)->free_buffer(self, buffer);
    };
    pool_class->acquire_buffer = [](GstBufferPool *self, GstBuffer **buffer,
                                    GstBufferPoolAcquireParams *params) noexcept {
        // Only the streaming thread acquires, so what is allocated meanwhile is allocated for it.
        auto &account = account_of(self);
        const auto before = account.allocations.load();
        const auto flow = GST_BUFFER_POOL_CLASS(jkvm_packet_pool_parent_class)
                              ->acquire_buffer(self, buffer, params);
        if (flow == GST_FLOW_OK) {
            ++account.outstanding;
            ++account.acquired;
            account.misses += account.allocations.load() - before;
        }
        return flow;
    };
    pool_class->release_buffer = [](GstBufferPool *self, GstBuffer *buffer) noexcept {
        --account_of(self).outstanding;
        GST_BUFFER_POOL_CLASS(jkvm_packet_pool_parent_class)->release_buffer(self, buffer);
    };
}

} // namespace

namespace jkvm {

PacketPool PacketPool::create(std::size_t buffer_size)
{
    PacketPool made;
    made.pool_ = GstRef<GstBufferPool>::adopt(
        GST_BUFFER_POOL(gst_object_ref_sink(g_object_new(jkvm_packet_pool_get_type(), nullptr))));
    GstStructure *config = gst_buffer_pool_get_config(made.pool_.get());
    // Enough for a pipeline that hands buffers on at once; more are made when more are held.
    constexpr guint ready_made = 4;
    gst_buffer_pool_config_set_params(config, nullptr, static_cast<guint>(buffer_size), ready_made,
                                      0);
    if (!gst_buffer_pool_set_config(made.pool_.get(), config) ||
        !gst_buffer_pool_set_active(made.pool_.get(), TRUE))
        made.pool_ = {};
    // Those that are made at the start were released without having been acquired.
    if (made)
        account_of(made.pool_.get()).outstanding = 0;
    return made;
}

PacketPool &PacketPool::operator=(PacketPool &&other) noexcept
{
    close();
    pool_ = std::move(other.pool_);
    return *this;
}

void PacketPool::close()
{
    // Buffers in use come back to it and are freed then.
    if (pool_)
        gst_buffer_pool_set_active(pool_.get(), FALSE);
    pool_ = {};
}

GstRef<GstBuffer> PacketPool::acquire()
{
    GstBuffer *buffer = nullptr;
    gst_buffer_pool_acquire_buffer(pool_.get(), &buffer, nullptr);
    return GstRef<GstBuffer>::adopt(buffer);
}

PacketPool::Stats PacketPool::stats() const
{
    const auto &account = account_of(pool_.get());
    const auto acquired = account.acquired.load();
    const auto misses = account.misses.load();
    return {.size = account.size,
            .outstanding = account.outstanding,
            .hits = acquired - std::min(misses, acquired),
            .misses = misses,
            .allocations = account.allocations};
}

} // namespace jkvm
