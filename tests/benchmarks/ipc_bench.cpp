// SPDX-License-Identifier: LGPL-2.1-or-later
// ipc-bench: measures latency, throughput and CPU time of messages from one process to listeners in
// another one. Prints a JSON object.
//
// The latency is measured from just before the sending element's render(), a time that the message
// contains, to just after the receiving element's create(). Both processes run this program.
#include "benchmarks/ipc/ends.h"
#include "benchmarks/ipc/system_calls.h"
#include "support/temporary_directory.h"

#include <gst/gst.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <unistd.h>

namespace {

using namespace jkvm::benchmark;

constexpr auto usage =
    "usage: ipc-bench --transport jkvm|shm|tcp|fd|raw [--streams 1] [--listeners 1]\n"
    "                 [--messages 2000] [--pace-us 0] [--slow-us 0] [--reads 1] [--strace FILE]\n";

struct Options {
    std::string transport;
    Plan plan;
};

std::optional<Options> parse(int argc, char **argv)
{
    Options options;
    auto &plan = options.plan;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const auto number = static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10));
        if (name == "--transport")
            options.transport = argv[i + 1];
        else if (name == "--streams")
            plan.streams = number;
        else if (name == "--listeners")
            plan.listeners = number;
        else if (name == "--messages")
            plan.messages = number;
        else if (name == "--pace-us")
            plan.pace = std::chrono::microseconds(number);
        else if (name == "--slow-us")
            plan.slow_us = number;
        else if (name == "--reads")
            plan.reads = number;
        else if (name == "--strace")
            plan.strace = argv[i + 1];
        else
            return std::nullopt;
    }
    const bool is_complete = argc % 2 == 1 && !options.transport.empty() && plan.messages > 0;
    const bool fits = plan.streams > 0 && plan.streams <= Exchange::max_streams &&
                      plan.listeners > 0 && plan.all_listeners() <= Exchange::max_listeners;
    return is_complete && fits ? std::optional(options) : std::nullopt;
}

/// Runs the sending process until all listeners have finished.
void send(const Plan &plan, Exchange &exchange, Transport &transport)
{
    std::vector<std::unique_ptr<MessageWriter>> writers;
    std::vector<std::unique_ptr<SendingEnd>> ends;
    for (unsigned i = 0; i < plan.streams; ++i) {
        writers.push_back(std::make_unique<MessageWriter>(plan, exchange, i * plan.listeners));
        ends.push_back(transport.serve(i, *writers.back()));
    }
    exchange.is_serving = true;
    if (!exchange.wait_until([&] { return exchange.receiving == plan.all_listeners(); }))
        throw std::runtime_error("some listeners received no message");
    {
        std::optional<SystemCallCount> count;
        if (plan.strace != nullptr)
            count.emplace(plan.strace);
        const auto cpu_before = cpu_time_ns();
        exchange.begin_ns = now_ns();
        exchange.is_counting = true;
        if (!exchange.wait_until([&] { return exchange.sent == plan.streams; }))
            throw std::runtime_error("not all messages were sent");
        exchange.sender_cpu_ns = cpu_time_ns() - cpu_before;
    }
    exchange.is_measured = true;
    if (!exchange.wait_until([&] { return exchange.finished == plan.all_listeners(); }))
        throw std::runtime_error("some listeners did not receive the end of the stream");
}

struct Received {
    std::vector<std::int64_t> delays; ///< of all listeners, sorted
    std::int64_t duration_ns;         ///< until the last counted message arrived
    std::int64_t cpu_ns;
};

Received receive(const Plan &plan, Exchange &exchange, Transport &transport)
{
    if (!exchange.wait_until([&] { return exchange.is_serving.load(); }))
        throw std::runtime_error("the sender did not start");
    std::vector<std::unique_ptr<Listener>> listeners;
    std::vector<std::unique_ptr<ReceivingEnd>> ends;
    for (unsigned i = 0; i < plan.all_listeners(); ++i) {
        listeners.push_back(std::make_unique<Listener>(plan, exchange, i));
        ends.push_back(transport.listen(i / plan.listeners, *listeners.back()));
    }
    if (!exchange.wait_until([&] { return exchange.is_counting.load(); }))
        throw std::runtime_error("the sender did not start counting");
    const auto cpu_before = cpu_time_ns();
    if (!exchange.wait_until([&] { return exchange.finished == plan.all_listeners(); }))
        throw std::runtime_error("some listeners did not receive the end of the stream");
    Received received{{}, 0, cpu_time_ns() - cpu_before};
    ends.clear();
    for (const auto &listener : listeners) {
        received.delays.insert(received.delays.end(), listener->delays().begin(),
                               listener->delays().end());
        received.duration_ns =
            std::max(received.duration_ns, listener->last_ns() - exchange.begin_ns);
    }
    std::ranges::sort(received.delays);
    if (received.delays.empty())
        throw std::runtime_error("no message arrived");
    return received;
}

double quantile(const std::vector<std::int64_t> &sorted, double share)
{
    const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return static_cast<double>(sorted[std::min(index, sorted.size() - 1)]);
}

void print(const Plan &plan, const Exchange &exchange, const Received &received)
{
    const auto sent = static_cast<double>(plan.messages) * plan.streams;
    const auto expected = static_cast<std::size_t>(plan.messages) * plan.all_listeners();
    std::printf("{\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, "
                "\"messages_per_second\": %.1f, \"lost\": %zu, "
                "\"sender_cpu_us_per_message\": %.3f, \"receiver_cpu_us_per_message\": %.3f}\n",
                quantile(received.delays, 0.5) / 1e3, quantile(received.delays, 0.99) / 1e3,
                quantile(received.delays, 0.999) / 1e3,
                sent * 1e9 / static_cast<double>(received.duration_ns),
                expected - received.delays.size(),
                static_cast<double>(exchange.sender_cpu_ns) / 1e3 / sent,
                static_cast<double>(received.cpu_ns) / 1e3 / sent);
}

/// Runs `work` and returns the exit status. An exception also makes the other process fail.
int guarded(Exchange &exchange, const std::function<void()> &work)
{
    try {
        gst_init(nullptr, nullptr);
        work();
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        exchange.has_failed = true;
        std::fprintf(stderr, "ipc-bench: %s\n", error.what());
        return EXIT_FAILURE;
    }
}

} // namespace

int main(int argc, char **argv)
{
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs(usage, stderr);
        return 2;
    }
    const auto &plan = options->plan;
    const jkvm::testing::TemporaryDirectory directory;
    const auto exchange = Exchange::make();
    std::unique_ptr<Transport> transport;
    try {
        transport = make_transport(options->transport, plan, *exchange, directory.path());
    } catch (const std::exception &error) {
        std::fprintf(stderr, "ipc-bench: %s\n", error.what());
        return 2;
    }
    // Forks before any thread exists.
    const auto sender = ::fork();
    if (sender == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int status = guarded(*exchange, [&] { send(plan, *exchange, *transport); });
        std::fflush(nullptr);
        ::_exit(status); // the parent removes the directory
    }
    int status = guarded(*exchange, [&] {
        const auto received = receive(plan, *exchange, *transport);
        print(plan, *exchange, received);
    });
    int sender_status = 0;
    if (::waitpid(sender, &sender_status, 0) != sender || sender_status != 0)
        status = EXIT_FAILURE;
    return status;
}
