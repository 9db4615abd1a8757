// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/packet_pool.h"

#include "common/mapped_buffer.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace jkvm {
namespace {

constexpr std::size_t size = 100;

TEST(PacketPool, ReusesABufferWhoseLastReferenceIsDropped)
{
    PacketPool pool(size);
    auto *first = pool.acquire().get(); // dropped at once
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(pool.acquire().get(), first);
    EXPECT_EQ(pool.stats().hits, 11u);
    EXPECT_EQ(pool.stats().misses, 0u);
    EXPECT_EQ(pool.stats().allocations, PacketPool::initial);
}

TEST(PacketPool, CountsHitsMissesAndBuffersInUse)
{
    PacketPool pool(size);
    std::vector<GstRef<GstBuffer>> held;
    for (std::size_t i = 0; i < PacketPool::initial + 3; ++i)
        held.push_back(pool.acquire());
    const auto stats = pool.stats();
    EXPECT_EQ(stats.hits, PacketPool::initial);
    EXPECT_EQ(stats.misses, 3u);
    EXPECT_EQ(stats.size, PacketPool::initial + 3);
    EXPECT_EQ(stats.outstanding, PacketPool::initial + 3);
    held.clear();
    EXPECT_EQ(pool.stats().outstanding, 0u);
}

TEST(PacketPool, MonitorReadsTheStatisticsOfAClosedPool)
{
    EXPECT_EQ(PacketPool::Monitor().stats().size, 0u);
    PacketPool pool(size);
    const auto monitor = pool.monitor();
    auto held = pool.acquire();
    EXPECT_EQ(monitor.stats().outstanding, 1u);
    pool = {};
    held = {};
    EXPECT_EQ(monitor.stats().hits, 1u);
    EXPECT_EQ(monitor.stats().outstanding, 0u);
}

TEST(PacketPool, KeepsNoMoreBuffersThanItsBound)
{
    PacketPool pool(size);
    std::vector<GstRef<GstBuffer>> held;
    for (std::size_t i = 0; i < 2 * PacketPool::bound; ++i)
        held.push_back(pool.acquire());
    EXPECT_EQ(pool.stats().size, PacketPool::bound);
    EXPECT_EQ(pool.stats().outstanding, PacketPool::bound);
    EXPECT_EQ(pool.stats().allocations, 2 * PacketPool::bound);
    held.clear();
    EXPECT_EQ(pool.stats().size, PacketPool::bound);
    for (std::size_t i = 0; i < PacketPool::bound; ++i)
        held.push_back(pool.acquire());
    EXPECT_EQ(pool.stats().allocations, 2 * PacketPool::bound);
}

TEST(PacketPool, ReturnsBuffersWithoutTraceOfTheirLastUse)
{
    PacketPool pool(size);
    const auto caps = GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("timestamp/x-unix"));
    {
        const auto buffer = pool.acquire();
        GST_BUFFER_PTS(buffer.get()) = GST_BUFFER_DURATION(buffer.get()) = 1;
        GST_BUFFER_OFFSET(buffer.get()) = 1;
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
        gst_buffer_add_reference_timestamp_meta(buffer.get(), caps.get(), 1, 1);
        set_used_size(buffer.get(), 10);
        gst_buffer_resize(buffer.get(), 5, 5);
    }
    const auto buffer = pool.acquire();
    EXPECT_EQ(GST_BUFFER_PTS(buffer.get()), GST_CLOCK_TIME_NONE);
    EXPECT_EQ(GST_BUFFER_DURATION(buffer.get()), GST_CLOCK_TIME_NONE);
    EXPECT_EQ(GST_BUFFER_OFFSET(buffer.get()), GST_BUFFER_OFFSET_NONE);
    EXPECT_FALSE(GST_BUFFER_IS_DISCONT(buffer.get()));
    EXPECT_EQ(gst_buffer_get_reference_timestamp_meta(buffer.get(), nullptr), nullptr);
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), size);
}

TEST(PacketPool, KeepsPooledMetas)
{
    PacketPool pool(size);
    const auto caps = GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("timestamp/x-unix"));
    {
        const auto buffer = pool.acquire();
        auto *meta = gst_buffer_add_reference_timestamp_meta(buffer.get(), caps.get(), 1, 1);
        meta->parent.flags = GST_META_FLAG_POOLED;
    }
    EXPECT_NE(gst_buffer_get_reference_timestamp_meta(pool.acquire().get(), nullptr), nullptr);
}

TEST(PacketPool, DiscardsABufferWhoseMemoryIsStillShared)
{
    PacketPool pool(size);
    auto buffer = pool.acquire();
    const auto copy = GstRef<GstBuffer>::adopt(gst_buffer_copy(buffer.get()));
    buffer = {};
    EXPECT_EQ(pool.stats().size, PacketPool::initial - 1);
    EXPECT_EQ(pool.stats().outstanding, 0u);
    EXPECT_EQ(gst_buffer_get_size(copy.get()), size);
}

TEST(PacketPool, DiscardsABufferWhoseMemoryWasReplaced)
{
    PacketPool pool(size);
    {
        const auto buffer = pool.acquire();
        gst_buffer_replace_all_memory(buffer.get(), gst_allocator_alloc(nullptr, size, nullptr));
    }
    EXPECT_EQ(pool.stats().size, PacketPool::initial - 1);
}

TEST(PacketPool, CopiesAPacketLargerThanItsBuffers)
{
    PacketPool pool(size);
    const std::vector<std::byte> packet(size + 1, std::byte{7});
    const auto buffer = pool.acquire_copy(packet);
    EXPECT_EQ(gst_buffer_memcmp(buffer.get(), 0, packet.data(), packet.size()), 0);
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), packet.size());
    EXPECT_EQ(pool.stats().misses, 1u);
}

TEST(PacketPool, CopiesAPacketIntoAPooledBuffer)
{
    PacketPool pool(size);
    const std::vector<std::byte> packet(20, std::byte{7});
    const auto buffer = pool.acquire_copy(packet);
    EXPECT_EQ(gst_buffer_memcmp(buffer.get(), 0, packet.data(), packet.size()), 0);
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), packet.size());
    EXPECT_EQ(pool.stats().hits, 1u);
}

TEST(PacketPool, FreesABufferThatOutlivesThePool)
{
    GstRef<GstBuffer> buffer;
    int freed = 0;
    {
        PacketPool pool(size);
        buffer = pool.acquire();
        const auto count = [](gpointer to, GstMiniObject *) noexcept { ++*static_cast<int *>(to); };
        gst_mini_object_weak_ref(GST_MINI_OBJECT_CAST(buffer.get()), count, &freed);
    }
    EXPECT_EQ(freed, 0);
    buffer = {};
    EXPECT_EQ(freed, 1);
}

TEST(PacketPool, TakesBuffersBackFromAnotherThread)
{
    PacketPool pool(size);
    for (int round = 0; round < 50; ++round) {
        std::vector<GstRef<GstBuffer>> held(20);
        for (auto &buffer : held)
            buffer = pool.acquire();
        std::thread consumer([held = std::move(held)]() mutable { held.clear(); });
        for (int i = 0; i < 20; ++i)
            EXPECT_TRUE(pool.acquire());
        consumer.join();
    }
    const auto stats = pool.stats();
    EXPECT_EQ(stats.outstanding, 0u);
    EXPECT_EQ(stats.size, stats.allocations);
    EXPECT_LE(stats.size, 40u);
}

} // namespace
} // namespace jkvm
