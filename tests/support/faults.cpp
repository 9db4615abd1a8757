// SPDX-License-Identifier: LGPL-2.1-or-later
// Simulates faults of the machine. The library is preloaded into a program, where it overrides
// functions of the C library:
//
//   JKVM_DISK_FULL=SUFFIX    creating a file whose name has the suffix fails with ENOSPC
//   JKVM_CLOCK_OFFSET=FILE   CLOCK_REALTIME is offset by the current content of the file: int64_t,
//                            nanoseconds
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

template <typename Function>
Function *next(const char *name)
{
    return reinterpret_cast<Function *>(::dlsym(RTLD_NEXT, name));
}

using Open = int(const char *, int, ...);
// With 64-bit file offsets, which meson enables, open() is an alias of this function.
constexpr const char *open_name = "open64";

// NOLINTBEGIN(concurrency-mt-unsafe): the environment does not change

bool is_disk_full_for(const char *path, int flags)
{
    const char *suffix = std::getenv("JKVM_DISK_FULL");
    return suffix != nullptr && (flags & O_CREAT) != 0 &&
           std::string_view(path).ends_with(std::string_view(suffix));
}

/// Returns the clock offset, in memory that is shared with the test; null without
/// JKVM_CLOCK_OFFSET.
const std::atomic<std::int64_t> *map_clock_offset()
{
    const char *path = std::getenv("JKVM_CLOCK_OFFSET");
    if (path == nullptr)
        return nullptr;
    const int fd = next<Open>(open_name)(path, O_RDONLY | O_CLOEXEC);
    void *memory = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return memory != MAP_FAILED ? static_cast<const std::atomic<std::int64_t> *>(memory) : nullptr;
}

// NOLINTEND(concurrency-mt-unsafe)

} // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the headers use reserved names
extern "C" {

[[gnu::visibility("default")]] int open(const char *path, int flags, ...)
{
    if (is_disk_full_for(path, flags)) {
        errno = ENOSPC;
        return -1;
    }
    va_list arguments;
    va_start(arguments, flags);
    // Undefined, and ignored by open(), without O_CREAT.
    const auto mode = va_arg(arguments, mode_t); // NOLINT(clang-analyzer-valist.Uninitialized)
    va_end(arguments);
    return next<Open>(open_name)(path, flags, mode);
}

[[gnu::visibility("default")]] int clock_gettime(clockid_t clock, timespec *time) noexcept
{
    static const auto real = next<int(clockid_t, timespec *)>("clock_gettime");
    const int result = real(clock, time);
    if (clock != CLOCK_REALTIME || result != 0)
        return result;
    static const auto *offset = map_clock_offset();
    if (offset == nullptr)
        return result;
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t now = time->tv_sec * second + time->tv_nsec + *offset;
    time->tv_sec = now / second;
    time->tv_nsec = now % second;
    return result;
}

} // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
