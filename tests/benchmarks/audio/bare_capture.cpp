// SPDX-License-Identifier: LGPL-2.1-or-later
// Lower bound for capturing and encoding audio: a loop around ALSA's memory-mapped ring and
// opus_encode().
//
//   bare-capture SETTLE FRAMES DEVICE BITRATE COMPLEXITY
//
// Prints the results of the measured window as JSON.
#include "benchmarks/audio/measured_window.h"

#include <alsa/asoundlib.h>
#include <opus.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr unsigned rate = 48000;
constexpr unsigned channels = 2;
constexpr snd_pcm_uframes_t frame = 960; // samples per channel: 20 ms

/// Returns `code`, or ends the program with the library's error message if it is negative.
int check(int code, const char *call)
{
    if (code >= 0)
        return code;
    std::fprintf(stderr, "bare-capture: %s: %s\n", call, snd_strerror(code));
    std::exit(1); // NOLINT(concurrency-mt-unsafe): the only thread
}

snd_pcm_t *open_device(const char *name)
{
    snd_pcm_t *pcm = nullptr;
    check(snd_pcm_open(&pcm, name, SND_PCM_STREAM_CAPTURE, 0), "snd_pcm_open");
    snd_pcm_hw_params_t *hw = nullptr;
    snd_pcm_hw_params_alloca(&hw);
    check(snd_pcm_hw_params_any(pcm, hw), "snd_pcm_hw_params_any");
    check(snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_MMAP_INTERLEAVED), "access");
    check(snd_pcm_hw_params_set_format(pcm, hw, SND_PCM_FORMAT_S16_LE), "format");
    check(snd_pcm_hw_params_set_channels(pcm, hw, channels), "channels");
    check(snd_pcm_hw_params_set_rate(pcm, hw, rate, 0), "rate");
    check(snd_pcm_hw_params_set_period_size(pcm, hw, frame, 0), "period");
    // A multiple of the frame, so that no frame wraps around the end of the ring.
    check(snd_pcm_hw_params_set_buffer_size(pcm, hw, 8 * frame), "buffer");
    check(snd_pcm_hw_params(pcm, hw), "snd_pcm_hw_params");
    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    check(snd_pcm_sw_params_current(pcm, sw), "snd_pcm_sw_params_current");
    check(snd_pcm_sw_params_set_avail_min(pcm, sw, frame), "avail_min");
    check(snd_pcm_sw_params(pcm, sw), "snd_pcm_sw_params");
    check(snd_pcm_start(pcm), "snd_pcm_start");
    return pcm;
}

/// Returns an encoder with the settings of jkvmaudiosrc; others are libopus's defaults.
OpusEncoder *open_encoder(opus_int32 bitrate, opus_int32 complexity)
{
    int code = 0;
    auto *encoder = opus_encoder_create(rate, channels, OPUS_APPLICATION_AUDIO, &code);
    check(code, "opus_encoder_create");
    opus_encoder_ctl(encoder, OPUS_SET_LSB_DEPTH(16));
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(bitrate));
    opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(complexity));
    return encoder;
}

void wait_for_frame(snd_pcm_t *pcm)
{
    for (;;) {
        const auto available = snd_pcm_avail_update(pcm);
        check(static_cast<int>(available), "snd_pcm_avail_update");
        if (available >= static_cast<snd_pcm_sframes_t>(frame))
            return;
        check(snd_pcm_wait(pcm, -1), "snd_pcm_wait");
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 6) {
        std::fputs("usage: bare-capture SETTLE FRAMES DEVICE BITRATE COMPLEXITY\n", stderr);
        return 2;
    }
    const auto number = [argv](int i) { return std::strtoul(argv[i], nullptr, 10); };
    jkvm::benchmark::MeasuredWindow window(number(1), number(2));
    auto *const encoder =
        open_encoder(static_cast<opus_int32>(number(4)), static_cast<opus_int32>(number(5)));
    auto *const pcm = open_device(argv[3]);
    std::array<unsigned char, 1275> packet{}; // maximum size of a packet with one frame
    do {
        wait_for_frame(pcm);
        const snd_pcm_channel_area_t *areas = nullptr;
        snd_pcm_uframes_t offset = 0;
        snd_pcm_uframes_t samples = frame;
        check(snd_pcm_mmap_begin(pcm, &areas, &offset, &samples), "snd_pcm_mmap_begin");
        const auto *input = static_cast<const opus_int16 *>(areas[0].addr) + offset * channels;
        check(opus_encode(encoder, input, frame, packet.data(), packet.size()), "opus_encode");
        check(static_cast<int>(snd_pcm_mmap_commit(pcm, offset, frame)), "snd_pcm_mmap_commit");
    } while (window.count());
    std::puts(window.report().c_str());
    snd_pcm_close(pcm);
    opus_encoder_destroy(encoder);
}
