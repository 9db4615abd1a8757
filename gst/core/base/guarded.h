// SPDX-License-Identifier: LGPL-2.1-or-later
// Data that several threads touch live inside their mutex: there is no way to them but the lock.
#pragma once

#include <mutex>
#include <utility>

namespace jkvm {

template <typename T>
class Guarded {
public:
    template <typename... Args>
    explicit Guarded(Args &&...args) : value_(std::forward<Args>(args)...)
    {}
    Guarded(const Guarded &) = delete;
    Guarded &operator=(const Guarded &) = delete;

    /// The lock and the way to the data; the lock ends with it.
    template <typename Value>
    class Access {
    public:
        Access(std::mutex &mutex, Value &value) : lock_(mutex), value_(&value) {}
        Value *operator->() const { return value_; }
        Value &operator*() const { return *value_; }

    private:
        std::unique_lock<std::mutex> lock_;
        Value *value_;
    };

    [[nodiscard]] Access<T> lock() { return Access<T>(mutex_, value_); }
    [[nodiscard]] Access<const T> lock() const { return Access<const T>(mutex_, value_); }
    /// A copy, taken under the lock.
    [[nodiscard]] T snapshot() const { return *lock(); }

private:
    mutable std::mutex mutex_;
    T value_;
};

} // namespace jkvm
