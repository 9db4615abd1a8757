// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/allocations.h"

#include <dlfcn.h>
#include <execinfo.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

constexpr std::size_t depth = 8; // callers
using Stack = std::array<void *, depth>;

struct Watch {
    bool is_on = false;
    std::size_t count = 0;
    std::array<Stack, 32> stacks{};
};
thread_local Watch watch __attribute__((tls_model("initial-exec")));

void note()
{
    if (!watch.is_on)
        return;
    watch.is_on = false; // the calls below may allocate
    if (watch.count < watch.stacks.size()) {
        auto &stack = watch.stacks.at(watch.count++);
        stack.fill(nullptr);
        backtrace(stack.data(), depth);
    }
    watch.is_on = true;
}

std::string describe(void *address)
{
    Dl_info info{};
    if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr)
        return "?";
    const char *file = std::strrchr(info.dli_fname, '/');
    return std::string(file != nullptr ? file + 1 : info.dli_fname) + ":" +
           (info.dli_sname != nullptr ? info.dli_sname : "?");
}

} // namespace

namespace jkvm::testing {

void watch_allocations()
{
    void *first = nullptr;
    backtrace(&first, 1); // the first call loads a library
    watch.count = 0;
    watch.is_on = true;
}

std::vector<std::string> stop_watching_allocations()
{
    watch.is_on = false;
    std::vector<std::string> found;
    for (std::size_t i = 0; i < watch.count; ++i) {
        std::string places;
        for (auto *address : watch.stacks.at(i))
            places += (places.empty() ? "" : " < ") + describe(address);
        if (places.find("asound") == std::string::npos)
            found.push_back(places);
    }
    watch.count = 0;
    return found;
}

} // namespace jkvm::testing

// NOLINTBEGIN(readability-identifier-naming, readability-inconsistent-declaration-parameter-name):
// the C library's names
extern "C" {

void *__libc_malloc(std::size_t size);
void *__libc_calloc(std::size_t count, std::size_t size);
void *__libc_realloc(void *memory, std::size_t size);
void __libc_free(void *memory);

__attribute__((visibility("default"))) void *malloc(std::size_t size)
{
    note();
    return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(std::size_t count, std::size_t size)
{
    note();
    return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *memory, std::size_t size)
{
    note();
    return __libc_realloc(memory, size);
}

__attribute__((visibility("default"))) void free(void *memory)
{
    if (memory != nullptr)
        note();
    __libc_free(memory);
}
}
// NOLINTEND(readability-identifier-naming, readability-inconsistent-declaration-parameter-name)
