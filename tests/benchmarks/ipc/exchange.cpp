// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/ipc/exchange.h"

#include <sys/mman.h>

#include <ctime>
#include <new>
#include <thread>

namespace jkvm::benchmark {

namespace {

using namespace std::chrono_literals;

constexpr auto wait_timeout = 20s;
constexpr auto poll_interval = 10ms;
// Longer while messages count, because polling costs CPU time and may delay a message.
constexpr auto poll_interval_in_measurement = 100ms;

} // namespace

Exchange::Ptr Exchange::make()
{
    void *memory = ::mmap(nullptr, sizeof(Exchange), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::bad_alloc();
    return Ptr(new (memory) Exchange);
}

void Exchange::Free::operator()(Exchange *exchange) const
{
    ::munmap(exchange, sizeof(Exchange));
}

Exchange::Exchange()
{
    for (auto &credit : credits_)
        ::sem_init(&credit, /*pshared=*/1, window / batch);
}

bool Exchange::take_credit(unsigned listener)
{
    timespec deadline{};
    ::clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += std::chrono::seconds(wait_timeout).count();
    return ::sem_clockwait(&credits_[listener], CLOCK_MONOTONIC, &deadline) == 0;
}

bool Exchange::wait_until(const std::function<bool()> &condition) const
{
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    while (!condition()) {
        if (has_failed || std::chrono::steady_clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(is_counting && !is_measured ? poll_interval_in_measurement
                                                                : poll_interval);
    }
    return true;
}

std::int64_t now_ns()
{
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::int64_t cpu_time_ns()
{
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)).count();
}

} // namespace jkvm::benchmark
