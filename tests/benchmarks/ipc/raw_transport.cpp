// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/ipc/ends.h"
#include "core/base/unique_fd.h"
#include "support/raw_socket.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace jkvm::benchmark {

namespace {

// The size of the protocol's header.
constexpr std::size_t header_size = 17;
using Header = std::array<std::byte, header_size>;
using Payload = std::array<std::byte, message_size>;

class RawSender : public SendingEnd {
public:
    RawSender(const Plan &plan, UniqueFd listener, MessageWriter &writer)
        : plan_(plan), listener_(std::move(listener)), writer_(writer), thread_([this] { run(); })
    {}

private:
    void run()
    {
        std::vector<UniqueFd> clients;
        while (clients.size() < plan_.listeners) {
            clients.push_back(testing::accept_from(listener_.get()));
            if (!clients.back())
                return;
        }
        Header header{};
        Payload payload{};
        while (writer_.write(payload)) {
            if (plan_.slow_us > 0)
                std::this_thread::sleep_for(std::chrono::microseconds(plan_.slow_us));
            for (const auto &client : clients) {
                std::array<iovec, 2> parts{
                    {{header.data(), header.size()}, {payload.data(), payload.size()}}};
                msghdr message{};
                message.msg_iov = parts.data();
                message.msg_iovlen = parts.size();
                if (::sendmsg(client.get(), &message, MSG_NOSIGNAL) < 0)
                    return;
            }
        }
    }

    const Plan plan_;
    UniqueFd listener_;
    MessageWriter &writer_;
    std::jthread thread_;
};

class RawReceiver : public ReceivingEnd {
public:
    RawReceiver(const Plan &plan, UniqueFd connection, Listener &listener)
        : plan_(plan), connection_(std::move(connection)), listener_(listener),
          thread_([this] { run(); })
    {}

private:
    bool read(std::span<std::byte> bytes)
    {
        return ::recv(connection_.get(), bytes.data(), bytes.size(), MSG_WAITALL) ==
               static_cast<ssize_t>(bytes.size());
    }

    void run()
    {
        std::array<std::byte, header_size + message_size> message{};
        const std::span bytes = message;
        const auto payload = bytes.subspan(header_size);
        for (;;) {
            const bool is_complete =
                plan_.reads == 1 ? read(bytes) : read(bytes.first(header_size)) && read(payload);
            if (!is_complete)
                return;
            listener_.on_message(payload);
        }
    }

    const Plan plan_;
    UniqueFd connection_;
    Listener &listener_;
    std::jthread thread_; // ends when the sender closes the connection
};

class RawTransport : public Transport {
public:
    RawTransport(const Plan &plan, std::string directory)
        : plan_(plan), directory_(std::move(directory))
    {}

    std::unique_ptr<SendingEnd> serve(unsigned stream, MessageWriter &writer) override
    {
        auto listener = testing::listen_at(path(stream));
        if (!listener)
            throw std::system_error(errno, std::generic_category(), path(stream));
        return std::make_unique<RawSender>(plan_, std::move(listener), writer);
    }

    std::unique_ptr<ReceivingEnd> listen(unsigned stream, Listener &listener) override
    {
        auto connection = testing::connect_to(path(stream));
        if (!connection)
            throw std::system_error(errno, std::generic_category(), path(stream));
        return std::make_unique<RawReceiver>(plan_, std::move(connection), listener);
    }

private:
    [[nodiscard]] std::string path(unsigned stream) const
    {
        return directory_ + "/" + std::to_string(stream);
    }

    const Plan plan_;
    const std::string directory_;
};

} // namespace

std::unique_ptr<Transport> make_raw_transport(const Plan &plan, const std::string &directory)
{
    return std::make_unique<RawTransport>(plan, directory);
}

} // namespace jkvm::benchmark
