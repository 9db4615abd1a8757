// SPDX-License-Identifier: LGPL-2.1-or-later
// Stores data shared between threads together with their mutex; access requires the lock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace jkvm {

/// A T that can be accessed only while its mutex is locked.
template <typename T>
class Guarded {
public:
    template <typename... Args>
    explicit Guarded(Args &&...args) : value_(std::forward<Args>(args)...)
    {}
    Guarded(const Guarded &) = delete;
    Guarded &operator=(const Guarded &) = delete;

    /// Holds the lock for its lifetime and gives access to the value.
    template <typename Value>
    class Access {
    public:
        Access(std::mutex &mutex, Value &value) : lock_(mutex), value_(&value) {}
        Value *operator->() const { return value_; }
        Value &operator*() const { return *value_; }

        /// Blocks until `condition` is notified; the mutex is released meanwhile.
        void wait(std::condition_variable &condition) { condition.wait(lock_); }
        /// Blocks until `predicate`, which is evaluated with the mutex held, is true.
        template <typename Predicate>
        void wait(std::condition_variable &condition, Predicate predicate)
        {
            condition.wait(lock_, std::move(predicate));
        }
        /// Calls `function` with the mutex released. The data may have changed afterwards.
        template <typename Function>
        decltype(auto) unlocked(Function &&function)
        {
            const Release release(lock_);
            return std::forward<Function>(function)();
        }

    private:
        class Release {
        public:
            explicit Release(std::unique_lock<std::mutex> &lock) : lock_(lock) { lock_.unlock(); }
            Release(const Release &) = delete;
            Release &operator=(const Release &) = delete;
            ~Release() { lock_.lock(); }

        private:
            std::unique_lock<std::mutex> &lock_;
        };

        std::unique_lock<std::mutex> lock_;
        Value *value_;
    };

    [[nodiscard]] Access<T> lock() { return Access<T>(mutex_, value_); }
    [[nodiscard]] Access<const T> lock() const { return Access<const T>(mutex_, value_); }
    /// Returns a copy taken under the lock.
    [[nodiscard]] T snapshot() const { return *lock(); }

private:
    mutable std::mutex mutex_;
    T value_;
};

} // namespace jkvm
