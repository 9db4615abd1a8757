// SPDX-License-Identifier: LGPL-2.1-or-later
// Exchanges control messages between a supervisor and its child over a pair of sockets.
#pragma once

#include "core/base/guarded.h"
#include "core/base/unique_fd.h"
#include "core/base/wake_event.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jkvm {

/// A kind and its texts. Their number and meaning are defined by the users of the connection.
struct ControlMessage {
    std::uint8_t kind = 0;
    std::vector<std::string> fields; ///< of any text without NUL

    bool operator==(const ControlMessage &) const = default;
};

/// One packet is one message: the version, the kind, and the fields, separated by NUL. Returns
/// nothing if the message is too large.
std::optional<std::string> encode(const ControlMessage &message);
/// Returns nothing if the packet is not a message of this version.
std::optional<ControlMessage> decode_control(std::string_view packet);

/// One end of the connection. Neither end waits for the other: messages that the peer does not read
/// are queued up to a limit. send() may be called from any thread, the other functions from the
/// thread that polls the descriptors.
class ControlConnection {
public:
    static constexpr std::uint8_t version = 1;
    static constexpr std::size_t max_size = 32768; ///< of a packet, bytes
    /// Maximum number of queued messages that no newer one can replace.
    static constexpr std::size_t max_queued = 64;

    struct Pair {
        UniqueFd parent;
        UniqueFd child;
    };
    /// Returns two connected sockets, of which only the parent's does not block; nothing without
    /// descriptors.
    static std::optional<Pair> make_pair();

    enum class Received {
        message,
        nothing, ///< until the descriptor is readable
        closed,  ///< by the peer
        invalid, ///< a packet that is not a message: nothing from this peer can be trusted
    };

    /// Discards the messages that are still queued, and makes the descriptor non-blocking.
    void open(UniqueFd fd);
    /// Messages are discarded until the next open().
    void close();

    /// -1 while closed.
    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Readable for poll() when flush() has to be called because a message was queued.
    [[nodiscard]] int wake_fd() const { return queued_.fd(); }

    /// Queues a message. It replaces a queued one with the same key, so that state that changes
    /// often takes one place in the queue; an empty key replaces none. Returns false if the message
    /// was discarded.
    bool send(const ControlMessage &message, const std::string &key = {});
    /// Sends queued messages. Returns false if some are left, until the descriptor is writable.
    bool flush();
    Received receive(ControlMessage &message);

private:
    struct Queued {
        std::string packet;
        std::string key;
    };
    struct Outbox {
        bool is_open = false;
        std::deque<Queued> queue;
        std::size_t without_key = 0;
    };

    UniqueFd fd_;
    WakeEvent queued_;
    Guarded<Outbox> outbox_;
};

} // namespace jkvm
