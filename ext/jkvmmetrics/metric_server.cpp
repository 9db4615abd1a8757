// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metric_server.h"

#include <CivetServer.h>

#include <arpa/inet.h>

#include <charconv>
#include <csignal>
#include <thread>

namespace jkvm {

namespace {

// What the HTTP library said first while it started: its exception only guesses. It is said by the
// thread that starts it.
thread_local std::string complaint;

int note_complaint(const mg_connection *, const char *message)
{
    if (complaint.empty())
        complaint = message;
    return 1; // and it shall not write to stderr
}

/// For threads that must not take the application's signals.
class SignalsBlocked {
public:
    SignalsBlocked()
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

/// 127.0.0.1:9464 or [::1]:9464. The library would take lists of ports, too, and a port alone for
/// all addresses.
bool is_address_and_port(const std::string &text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return false;
    auto host = text.substr(0, colon);
    const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (is_bracketed)
        host = host.substr(1, host.size() - 2);
    in6_addr parsed{};
    if (::inet_pton(is_bracketed ? AF_INET6 : AF_INET, host.c_str(), &parsed) != 1)
        return false;
    std::uint16_t port = 0;
    const char *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
    return error == std::errc() && rest == end;
}

} // namespace

Result<std::unique_ptr<prometheus::Exposer>> serve_metrics(
    const std::string &address, const std::shared_ptr<prometheus::Collectable> &metrics)
{
    if (!is_address_and_port(address))
        return Error{ErrorKind::path_unusable, address, "it is not ADDRESS:PORT"};

    const SignalsBlocked block;
    CivetCallbacks callbacks;
    callbacks.log_message = note_complaint;
    complaint.clear();
    try {
        auto exposer = std::make_unique<prometheus::Exposer>(
            std::vector<std::string>{"listening_ports", address, "num_threads", "2"}, &callbacks);
        exposer->RegisterCollectable(metrics);
        return exposer;
    } catch (const std::exception &error) {
        return Error{ErrorKind::path_unusable, address,
                     complaint.empty() ? error.what() : complaint};
    }
}

} // namespace jkvm
