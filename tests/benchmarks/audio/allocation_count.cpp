// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts the memory allocations of each GStreamer plugin during a measured window
// (measured_window.h). The library is preloaded and overrides the allocator of the C library. At
// the end of the window it writes one line per plugin to the file $ALLOCATIONS:
//
//   NAME OWN CAUSED
//
// An allocation is attributed to the innermost plugin on the stack. It is "own" if the plugin's
// code called the allocator, directly or through GLib or the C++ library, and "caused" if another
// library did, for example GStreamer's for a new buffer.
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

namespace {

/// Code that is loaded from one file.
struct Object {
    enum class Kind { plugin, allocator, other };
    std::string_view name; // of the file, which stays loaded
    Kind kind = Kind::other;
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::atomic<long> own{0};
    std::atomic<long> caused{0};
};

std::array<Object, 512> objects; // NOLINT: no constructor that could allocate
std::size_t object_count = 0;
std::atomic<bool> is_open{false};
thread_local bool is_noting __attribute__((tls_model("initial-exec"))) = false;

Object::Kind kind_of(std::string_view name)
{
    if (name.starts_with("libgst"))
        // In contrast to libraries, plugins have no version in their name.
        return name.ends_with(".so") ? Object::Kind::plugin : Object::Kind::other;
    for (const std::string_view allocator :
         {"libglib-2.0", "libgobject-2.0", "libstdc++", "libc.so", "liballocation-count"})
        if (name.starts_with(allocator))
            return Object::Kind::allocator;
    return Object::Kind::other;
}

int add_object(dl_phdr_info *info, std::size_t, void *)
{
    for (const auto &header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
        if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 ||
            object_count == objects.size())
            continue;
        auto &object = objects.at(object_count++);
        const std::string_view path = info->dlpi_name;
        object.name = path.substr(path.rfind('/') + 1);
        object.kind = kind_of(object.name);
        object.begin = info->dlpi_addr + header.p_vaddr;
        object.end = object.begin + header.p_memsz;
    }
    return 0;
}

Object *find_object(void *address)
{
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    for (auto &object : std::span(objects).first(object_count))
        if (place >= object.begin && place < object.end)
            return &object;
    return nullptr;
}

void note()
{
    if (!is_open || is_noting)
        return;
    is_noting = true; // functions called here may allocate
    std::array<void *, 64> stack{};
    const auto depth = static_cast<std::size_t>(::backtrace(stack.data(), stack.size()));
    bool is_own = true;
    for (auto *address : std::span(stack).first(depth)) {
        auto *const object = find_object(address);
        if (object != nullptr && object->kind == Object::Kind::plugin) {
            ++(is_own ? object->own : object->caused);
            break;
        }
        is_own = is_own && object != nullptr && object->kind == Object::Kind::allocator;
    }
    is_noting = false;
}

} // namespace

// NOLINTBEGIN(readability-identifier-naming,readability-inconsistent-declaration-parameter-name):
// these are names of the C library
extern "C" {

void *__libc_malloc(std::size_t size);
void *__libc_calloc(std::size_t count, std::size_t size);
void *__libc_realloc(void *memory, std::size_t size);
void *__libc_memalign(std::size_t alignment, std::size_t size);

[[gnu::visibility("default")]] void *malloc(std::size_t size)
{
    note();
    return __libc_malloc(size);
}

[[gnu::visibility("default")]] void *calloc(std::size_t count, std::size_t size)
{
    note();
    return __libc_calloc(count, size);
}

[[gnu::visibility("default")]] void *realloc(void *memory, std::size_t size)
{
    note();
    return __libc_realloc(memory, size);
}

[[gnu::visibility("default")]] void *aligned_alloc(std::size_t alignment, std::size_t size)
{
    note();
    return __libc_memalign(alignment, size);
}

[[gnu::visibility("default")]] int posix_memalign(void **memory, std::size_t alignment,
                                                  std::size_t size)
{
    note();
    *memory = __libc_memalign(alignment, size);
    return *memory != nullptr ? 0 : ENOMEM;
}

[[gnu::visibility("default")]] void preloaded_window_begins()
{
    void *first = nullptr;
    ::backtrace(&first, 1); // the first call loads libgcc and allocates
    ::dl_iterate_phdr(add_object, nullptr);
    is_open = true;
}

[[gnu::visibility("default")]] void preloaded_window_ends()
{
    is_open = false;
    auto *const file = std::fopen(std::getenv("ALLOCATIONS"), "w");
    if (file == nullptr)
        return;
    for (const auto &object : std::span(objects).first(object_count))
        if (object.kind == Object::Kind::plugin)
            std::fprintf(file, "%.*s %ld %ld\n", static_cast<int>(object.name.size()),
                         object.name.data(), object.own.load(), object.caused.load());
    std::fclose(file);
}
}
// NOLINTEND(readability-identifier-naming,readability-inconsistent-declaration-parameter-name)
