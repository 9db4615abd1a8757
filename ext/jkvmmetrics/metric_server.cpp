// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metric_server.h"

#include <CivetServer.h>

#include <csignal>
#include <regex>
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

} // namespace

Result<std::unique_ptr<prometheus::Exposer>> serve_metrics(
    const std::string &address, const std::shared_ptr<prometheus::Collectable> &metrics)
{
    // The library would take lists of ports, too, and a port alone for all addresses.
    static const std::regex form(R"((\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]{1,5})");
    if (!std::regex_match(address, form))
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
