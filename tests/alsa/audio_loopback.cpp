// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/audio_loopback.h"

#include "core/base/unique_fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace jkvm::testing {
namespace {

[[noreturn]] void fail(const std::string &path)
{
    throw std::system_error(errno, std::generic_category(), path);
}

} // namespace

AudioLoopback::AudioLoopback(const std::string &path)
{
    constexpr auto size = static_cast<size_t>(slots) * sizeof(Slot);
    const UniqueFd file{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (!file || ftruncate(file.get(), static_cast<off_t>(size)) < 0)
        fail(path);
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) // NOLINT(performance-no-int-to-ptr): a macro of the C library
        fail(path);
    memory_ = static_cast<Slot *>(memory);
}

AudioLoopback::~AudioLoopback()
{
    munmap(memory_, static_cast<size_t>(slots) * sizeof(Slot));
}

int64_t AudioLoopback::index_at(int64_t time)
{
    constexpr int64_t ns_per_second = 1'000'000'000;
    return time / ns_per_second * rate + time % ns_per_second * rate / ns_per_second;
}

void AudioLoopback::play(int64_t time, std::span<const int32_t> frame)
{
    Slot &to = slot(index_at(time));
    for (size_t channel = 0; channel < max_channels; channel++)
        to.samples[channel] = frame[std::min(channel, frame.size() - 1)];
    std::atomic_ref(to.index).store(index_at(time), std::memory_order_release);
}

void AudioLoopback::capture(int64_t time, std::span<int32_t> frame) const
{
    const int64_t index = index_at(time - delay);
    for (int64_t held = 0; held <= max_held; held++) {
        Slot &from = slot(index - held);
        if (std::atomic_ref(from.index).load(std::memory_order_acquire) != index - held)
            continue;
        std::copy_n(std::begin(from.samples), frame.size(), frame.begin());
        return;
    }
    std::fill(frame.begin(), frame.end(), 0);
}

} // namespace jkvm::testing
