// SPDX-License-Identifier: LGPL-2.1-or-later
// Owns a libopus decoder, recovers lost frames from in-band FEC and conceals the others.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"

#include <opus.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace jkvm {

/// Whether the packet contains a low-bitrate copy of the frame before it. CELT packets never do.
bool has_in_band_fec(std::span<const std::byte> packet);

/// Decodes to interleaved float samples at 48 kHz. Does not allocate after create(). Returned
/// samples are valid until the next call. Thread-bound.
class OpusFrameDecoder {
public:
    static constexpr unsigned rate = 48000; ///< Hz, of the output
    /// The longest packet, and the longest loss that one call recovers or conceals: 120 ms.
    static constexpr std::size_t max_samples = rate * 120 / 1000;
    /// Concealed audio is faded out between these times after the last packet, then silence
    /// follows: libopus itself does not fade it out, and it turns into a buzz.
    static constexpr nanoseconds fade_start = std::chrono::milliseconds(60);
    static constexpr nanoseconds fade_end = std::chrono::milliseconds(100);

    struct Counters {
        std::uint64_t concealed = 0; ///< samples per channel concealed by PLC, including silence
        std::uint64_t fec_recovered = 0; ///< samples per channel from in-band FEC
        std::uint64_t invalid = 0;       ///< packets that libopus refused
    };

    /// `channels`: of the output, 1 or 2. Errors: out_of_resources.
    static Result<OpusFrameDecoder> create(unsigned channels);

    /// Decodes a packet. An invalid one is concealed for the duration in its header, or, if it has
    /// no valid header, for that of the previous packet.
    std::span<const float> decode(std::span<const std::byte> packet);
    /// Recovers or conceals lost audio. `samples`: per channel, at most max_samples. `next`: the
    /// packet after the loss, or empty; if it carries FEC, the last frame of the loss is recovered
    /// from it, and the packet itself has to be decoded next.
    std::span<const float> conceal(std::size_t samples, std::span<const std::byte> next = {});
    /// Resets the decoder for a packet that does not continue the stream.
    void reset();

    [[nodiscard]] unsigned channels() const { return channels_; }
    [[nodiscard]] const Counters &counters() const { return counters_; }

private:
    struct Destroy {
        void operator()(OpusDecoder *decoder) const { opus_decoder_destroy(decoder); }
    };
    using Handle = std::unique_ptr<OpusDecoder, Destroy>;

    OpusFrameDecoder(Handle handle, unsigned channels)
        : handle_(std::move(handle)), channels_(channels), output_(max_samples * channels)
    {}

    /// Fills the output from `first` on with libopus's concealment.
    void run_plc(std::size_t first, std::size_t samples);
    void fade(std::size_t first, std::size_t samples);

    Handle handle_;
    unsigned channels_;
    std::vector<float> output_;
    std::size_t packet_samples_ = rate / 50; // of the last packet
    std::size_t faded_ = 0;                  // concealed samples since the last packet
    Counters counters_;
};

} // namespace jkvm
