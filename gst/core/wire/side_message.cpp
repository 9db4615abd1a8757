// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/side_message.h"

#include "core/wire/bytes.h"

#include <algorithm>
#include <limits>

namespace jkvm::wire {

namespace {

enum class SideMessageType : std::uint32_t { settings_request = 1, source_state = 2 };

// Every message starts with its type and a mask of the fields that have a value.
constexpr std::size_t number_size = sizeof(std::uint32_t);
constexpr std::size_t header_size = 2 * number_size;

constexpr std::uint32_t no_limit = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t max_int = std::numeric_limits<std::int32_t>::max();

/// Appends the fields of a message in order.
class FieldWriter {
public:
    explicit FieldWriter(SideMessageType type) : bytes_(header_size)
    {
        put_le(std::span(bytes_), 0, static_cast<std::uint32_t>(type));
    }

    template <typename T>
    void operator()(const std::optional<T> &value, std::uint32_t /*limit*/ = no_limit)
    {
        const auto offset = begin_field(number_size, value.has_value());
        if constexpr (std::is_same_v<T, nanoseconds>)
            put_le(std::span(bytes_), offset, to_microseconds(value.value_or(nanoseconds(0))));
        else
            put_le(std::span(bytes_), offset, static_cast<std::uint32_t>(value.value_or(T{})));
    }
    void operator()(const std::string &text)
    {
        const bool has_value = !text.empty() && SourceState::is_nick(text);
        const auto offset = begin_field(SourceState::max_nick, has_value);
        if (has_value)
            std::ranges::transform(text, bytes_.begin() + static_cast<std::ptrdiff_t>(offset),
                                   [](char c) { return static_cast<std::byte>(c); });
    }

    std::vector<std::byte> release()
    {
        put_le(std::span(bytes_), number_size, mask_);
        return std::move(bytes_);
    }

private:
    static std::uint32_t to_microseconds(nanoseconds duration)
    {
        return static_cast<std::uint32_t>(duration / std::chrono::microseconds(1));
    }
    /// Returns the field's offset.
    std::size_t begin_field(std::size_t size, bool has_value)
    {
        const auto offset = bytes_.size();
        bytes_.resize(offset + size);
        if (has_value)
            mask_ |= bit_;
        bit_ <<= 1;
        return offset;
    }

    std::vector<std::byte> bytes_;
    std::uint32_t mask_ = 0;
    std::uint32_t bit_ = 1; // of the next field
};

/// Reads the fields in the same order.
class FieldReader {
public:
    explicit FieldReader(std::span<const std::byte> message)
        : rest_(message.subspan(header_size)), mask_(get_le<std::uint32_t>(message, number_size))
    {}

    /// `limit`: maximum of the number on the wire.
    template <typename T>
    void operator()(std::optional<T> &value, std::uint32_t limit = no_limit)
    {
        const auto field = take_field(number_size);
        if (field.empty())
            return;
        const auto number = get_le<std::uint32_t>(field, 0);
        is_valid_ &= number <= (std::is_same_v<T, bool> ? 1 : limit);
        if constexpr (std::is_same_v<T, nanoseconds>)
            value = std::chrono::microseconds(number);
        else
            value = static_cast<T>(number);
    }
    void operator()(std::string &text)
    {
        for (const auto byte : take_field(SourceState::max_nick)) {
            if (byte == std::byte(0))
                break;
            text += std::to_integer<char>(byte);
        }
        is_valid_ &= SourceState::is_nick(text);
    }

    [[nodiscard]] bool is_valid() const { return is_valid_; }

private:
    /// Returns nothing for a field without a value, and beyond the end of the message.
    std::span<const std::byte> take_field(std::size_t size)
    {
        const bool has_value = (mask_ & bit_) != 0;
        bit_ <<= 1;
        const bool is_present = rest_.size() >= size;
        const auto field = is_present ? rest_.first(size) : std::span<const std::byte>();
        rest_ = is_present ? rest_.subspan(size) : std::span<const std::byte>();
        return has_value ? field : std::span<const std::byte>();
    }

    std::span<const std::byte> rest_;
    std::uint32_t mask_;
    std::uint32_t bit_ = 1; // of the next field
    bool is_valid_ = true;
};

/// The fields of a SettingsRequest in the order of the message, for a writer or a reader.
void visit_fields(auto &request, auto &&visit)
{
    auto &config = request.config;
    visit(config.sample_rate);
    visit(config.channels);
    visit(config.frame_size);
    visit(config.bitrate);
    visit(config.complexity);
    visit(config.vbr);
    visit(config.signal);
    visit(config.bandwidth);
    visit(config.dtx);
    visit(request.packet_loss_percentage, 100);
}

/// The same for a SourceState.
void visit_state_fields(auto &state, auto &&visit)
{
    visit(state.device_state);
    visit(state.reason);
    visit(state.muted);
    visit(state.quality);
    visit(state.bitrate, max_int);
    visit(state.complexity, 10);
    visit(state.frame);
    visit(state.dtx);
    visit(state.packet_loss_percentage, 100);
    visit(state.decided_by);
    visit(state.listeners);
}

} // namespace

std::vector<std::byte> encode_side_message(const SettingsRequest &request)
{
    FieldWriter writer(SideMessageType::settings_request);
    visit_fields(request, writer);
    return writer.release();
}

std::vector<std::byte> encode_side_message(const SourceState &state)
{
    FieldWriter writer(SideMessageType::source_state);
    visit_state_fields(state, writer);
    return writer.release();
}

SideMessage decode_side_message(std::span<const std::byte> message)
{
    if (message.size() < header_size)
        return UnknownSideMessage{};
    FieldReader reader(message);
    switch (SideMessageType{get_le<std::uint32_t>(message, 0)}) {
    case SideMessageType::settings_request: {
        SettingsRequest request;
        visit_fields(request, reader);
        // A number of samples is a duration only together with a rate.
        if (request.config.frame_size && !request.config.sample_rate)
            request.config.sample_rate = StreamConfig().sample_rate;
        if (reader.is_valid() && request.config.applied_to({}).is_valid())
            return request;
        break;
    }
    case SideMessageType::source_state: {
        SourceState state;
        visit_state_fields(state, reader);
        if (reader.is_valid())
            return state;
        break;
    }
    }
    return UnknownSideMessage{};
}

} // namespace jkvm::wire
