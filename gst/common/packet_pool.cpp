// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/packet_pool.h"

#include "common/mapped_buffer.h"
#include "core/base/guarded.h"

#include <array>
#include <cstring>

namespace jkvm {

namespace {

struct State {
    std::array<GstBuffer *, PacketPool::bound> free{}; ///< a stack: the latest is still cached
    std::size_t free_count = 0;
    bool is_closed = false;
    PacketPool::Stats stats;
};

GQuark pool_quark()
{
    static const GQuark quark = g_quark_from_static_string("jkvm-packet-pool");
    return quark;
}

gboolean remove_unless_pooled(GstBuffer *, GstMeta **meta, gpointer) noexcept
{
    if (((*meta)->flags & (GST_META_FLAG_POOLED | GST_META_FLAG_LOCKED)) == 0)
        *meta = nullptr;
    return TRUE;
}

/// Returns the buffer to its initial condition; false if its memory was replaced, or is still
/// shared with another buffer.
bool reset(GstBuffer *buffer, std::size_t buffer_size)
{
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_TAG_MEMORY) ||
        gst_buffer_n_memory(buffer) != 1)
        return false;
    auto *memory = gst_buffer_peek_memory(buffer, 0);
    if (!gst_memory_is_writable(memory))
        return false;
    gst_memory_resize(memory, -static_cast<gssize>(memory->offset), buffer_size);
    GST_BUFFER_FLAGS(buffer) = 0;
    GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_OFFSET(buffer) = GST_BUFFER_OFFSET_NONE;
    GST_BUFFER_OFFSET_END(buffer) = GST_BUFFER_OFFSET_NONE;
    gst_buffer_foreach_meta(buffer, remove_unless_pooled, nullptr);
    return true;
}

} // namespace

struct PacketPool::Shared {
    explicit Shared(std::size_t size) : buffer_size(size) {}

    /// Runs when the last reference to a pooled buffer is dropped, on any thread. Takes the buffer
    /// back, or frees it if it cannot be used again.
    static gboolean on_dispose(GstMiniObject *object) noexcept
    {
        auto *buffer = GST_BUFFER_CAST(object);
        auto &shared = **static_cast<std::shared_ptr<Shared> *>(
            gst_mini_object_get_qdata(object, pool_quark()));
        gst_buffer_ref(buffer); // without a reference its memory would not be writable
        if (!shared.take_back(buffer)) {
            object->dispose = nullptr;
            gst_buffer_unref(buffer);
        }
        return FALSE;
    }

    /// False if the buffer no longer belongs to the pool.
    bool take_back(GstBuffer *buffer)
    {
        const bool is_reusable = reset(buffer, buffer_size);
        auto access = state.lock();
        --access->stats.outstanding;
        if (!is_reusable || access->is_closed) {
            --access->stats.size;
            return false;
        }
        access->free.at(access->free_count++) = buffer;
        return true;
    }

    const std::size_t buffer_size;
    Guarded<State> state;
};

PacketPool::PacketPool(std::size_t buffer_size) : shared_(std::make_shared<Shared>(buffer_size))
{
    std::array<GstRef<GstBuffer>, initial> ready;
    {
        auto state = shared_->state.lock();
        state->stats.size = state->stats.allocations = state->stats.outstanding = initial;
    }
    for (auto &buffer : ready)
        buffer = allocate(true);
    // Each buffer now enters the pool as its reference is dropped.
}

PacketPool &PacketPool::operator=(PacketPool &&other) noexcept
{
    close();
    shared_ = std::move(other.shared_);
    return *this;
}

void PacketPool::close()
{
    if (!shared_)
        return;
    std::array<GstBuffer *, bound> unused{};
    std::size_t count = 0;
    {
        auto state = shared_->state.lock();
        state->is_closed = true;
        unused = state->free;
        count = std::exchange(state->free_count, 0);
        state->stats.outstanding += count;
    }
    // Outside of the lock, which on_dispose() takes.
    for (auto *buffer : std::span(unused).first(count))
        gst_buffer_unref(buffer);
    shared_.reset();
}

GstRef<GstBuffer> PacketPool::allocate(bool is_pooled) const
{
    auto *buffer = gst_buffer_new_allocate(nullptr, shared_->buffer_size, nullptr);
    if (is_pooled && buffer == nullptr) {
        auto state = shared_->state.lock();
        --state->stats.size;
        --state->stats.outstanding;
    } else if (is_pooled) {
        const auto release = [](gpointer pool) noexcept {
            delete static_cast<std::shared_ptr<Shared> *>(pool);
        };
        auto *object = GST_MINI_OBJECT_CAST(buffer);
        gst_mini_object_set_qdata(object, pool_quark(), new std::shared_ptr<Shared>(shared_),
                                  release);
        object->dispose = Shared::on_dispose;
    }
    return GstRef<GstBuffer>::adopt(buffer);
}

GstRef<GstBuffer> PacketPool::acquire()
{
    bool is_pooled = false;
    {
        auto state = shared_->state.lock();
        auto &stats = state->stats;
        if (state->free_count > 0) {
            ++stats.hits;
            ++stats.outstanding;
            return GstRef<GstBuffer>::adopt(state->free.at(--state->free_count));
        }
        ++stats.misses;
        ++stats.allocations;
        is_pooled = stats.size < bound;
        stats.size += is_pooled ? 1 : 0;
        stats.outstanding += is_pooled ? 1 : 0;
    }
    return allocate(is_pooled);
}

GstRef<GstBuffer> PacketPool::acquire_copy(std::span<const std::byte> packet)
{
    if (packet.size() > shared_->buffer_size) {
        auto state = shared_->state.lock();
        ++state->stats.misses;
        ++state->stats.allocations;
        return GstRef<GstBuffer>::adopt(gst_buffer_new_memdup(packet.data(), packet.size()));
    }
    auto buffer = acquire();
    if (buffer) {
        // std::ranges::copy of a span does not compile to a single memcpy.
        std::memcpy(MappedBuffer(buffer.get(), GST_MAP_WRITE).bytes().data(), packet.data(),
                    packet.size());
        set_used_size(buffer.get(), packet.size());
    }
    return buffer;
}

PacketPool::Stats PacketPool::Monitor::stats() const
{
    return shared_ ? shared_->state.lock()->stats : Stats{};
}

Fields pool_fields(const PacketPool::Stats &stats)
{
    const auto requests = stats.hits + stats.misses;
    const double hit_percent =
        requests == 0 ? 0.0
                      : 100.0 * static_cast<double>(stats.hits) / static_cast<double>(requests);
    return std::move(Fields()
                         .set("pool-size", stats.size)
                         .set("pool-bound", guint64{PacketPool::bound})
                         .set("pool-outstanding", stats.outstanding)
                         .set("pool-hits", stats.hits)
                         .set("pool-misses", stats.misses)
                         .set("pool-allocations", stats.allocations)
                         .set("pool-hit-percent", hit_percent));
}

} // namespace jkvm
