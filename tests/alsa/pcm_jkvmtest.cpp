// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements the ALSA I/O plugin "jkvmtest": opens a virtual capture or playback device and
// registers it with alsa-lib.
#include "alsa/virtual_capture.h"
#include "alsa/virtual_playback.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace jkvm::testing {
namespace {

constexpr std::array rates{8000u,  11025u, 16000u, 22050u, 24000u,  32000u,
                           44100u, 48000u, 88200u, 96000u, 176400u, 192000u};
constexpr std::array formats{SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S24_3LE, SND_PCM_FORMAT_S24_LE,
                             SND_PCM_FORMAT_S32_LE};
constexpr unsigned max_channels = 8;
constexpr unsigned min_period_bytes = 32;       // less than 2.5 ms of 8 hz mono
constexpr unsigned max_buffer_bytes = 1u << 22; // a second of eight channels at 96 kHz
constexpr unsigned max_periods = 1024;

/// The PCM's options in the ALSA configuration.
struct Options {
    std::string file;
    std::string directory;
    std::string loopback;   // path of a loopback
    double frequency = 997; // not 1000: a gap of whole cycles would be undetectable
    unsigned rate = 0;      // 0 = any
    unsigned channels = 0;
    std::string format;
};

/// The configurations offered to programs.
struct Offer {
    std::vector<unsigned> rates;
    std::vector<unsigned> channels;
    std::vector<unsigned> formats;
};

int read_unsigned(snd_config_t *node, unsigned &value)
{
    long number = 0;
    if (snd_config_get_integer(node, &number) < 0 || number < 0 || number > 1'000'000)
        return -EINVAL;
    value = static_cast<unsigned>(number);
    return 0;
}

int read_string(snd_config_t *node, std::string &value)
{
    const char *text = nullptr;
    if (snd_config_get_string(node, &text) < 0)
        return -EINVAL;
    value = text ? text : "";
    return 0;
}

int read_option(snd_config_t *node, std::string_view name, Options &options)
{
    if (name == "file")
        return read_string(node, options.file);
    if (name == "dir")
        return read_string(node, options.directory);
    if (name == "loop")
        return read_string(node, options.loopback);
    if (name == "freq")
        return snd_config_get_ireal(node, &options.frequency);
    if (name == "rate")
        return read_unsigned(node, options.rate);
    if (name == "channels")
        return read_unsigned(node, options.channels);
    if (name == "format")
        return read_string(node, options.format);
    return name == "type" || name == "comment" || name == "hint" ? 0 : -EINVAL;
}

int read_options(snd_config_t *conf, Options &options)
{
    snd_config_iterator_t i = nullptr;
    snd_config_iterator_t next = nullptr;
    snd_config_for_each(i, next, conf)
    {
        snd_config_t *node = snd_config_iterator_entry(i);
        const char *name = nullptr;
        if (snd_config_get_id(node, &name) < 0)
            continue;
        if (read_option(node, name, options) < 0) {
            SNDERR("jkvmtest: unknown field or bad value: %s", name);
            return -EINVAL;
        }
    }
    if (options.directory.empty()) {
        const char *fallback = std::getenv("JKVM_TEST_PCM_DIR");
        options.directory = fallback ? fallback : "";
    }
    return 0;
}

/// Returns the formats listed in `list` (separated by blanks or commas); all formats if it is
/// empty.
std::vector<unsigned> find_formats(const std::string &list)
{
    std::vector<unsigned> found;
    for (const snd_pcm_format_t format : formats) {
        const std::string padded = " " + list + " ";
        const std::string name = snd_pcm_format_name(format);
        const size_t at = padded.find(name);
        const bool named = at != std::string::npos &&
                           std::strchr(" ,\n", padded[at - 1]) != nullptr &&
                           std::strchr(" ,\n", padded[at + name.size()]) != nullptr;
        if (list.empty() || named)
            found.push_back(static_cast<unsigned>(format));
    }
    return found;
}

std::vector<unsigned> find_channels(unsigned native, unsigned only)
{
    std::vector<unsigned> found;
    for (unsigned count = 1; count <= max_channels; count++) {
        const bool fits = native == 0 || count == native || (native == 1 && count == 2);
        if (fits && (only == 0 || only == count))
            found.push_back(count);
    }
    return found;
}

Offer make_offer(const Options &options, const ControlDirectory &control, const Signal &signal)
{
    Offer offer;
    // The file "rate" overrides the rate of the WAV file, to simulate a source that changes it.
    unsigned rate = control.read_number("rate").value_or(options.rate);
    if (rate == 0)
        rate = signal.native_rate();
    if (rate > 0)
        offer.rates = {rate};
    else
        offer.rates.assign(rates.begin(), rates.end());
    offer.channels = find_channels(signal.native_channels(),
                                   control.read_number("channels").value_or(options.channels));
    offer.formats = find_formats(control.read("format").value_or(options.format));
    return offer;
}

int constrain(snd_pcm_ioplug_t *io, const Offer &offer)
{
    constexpr std::array<unsigned, 2> accesses{SND_PCM_ACCESS_RW_INTERLEAVED,
                                               SND_PCM_ACCESS_MMAP_INTERLEAVED};
    const auto list = [io](int parameter, std::span<const unsigned> values) {
        return snd_pcm_ioplug_set_param_list(io, parameter, static_cast<unsigned>(values.size()),
                                             values.data());
    };
    const auto range = [io](int parameter, unsigned lowest, unsigned highest) {
        return snd_pcm_ioplug_set_param_minmax(io, parameter, lowest, highest);
    };
    const std::array results{
        list(SND_PCM_IOPLUG_HW_ACCESS, accesses),
        list(SND_PCM_IOPLUG_HW_FORMAT, offer.formats),
        list(SND_PCM_IOPLUG_HW_RATE, offer.rates),
        list(SND_PCM_IOPLUG_HW_CHANNELS, offer.channels),
        range(SND_PCM_IOPLUG_HW_PERIOD_BYTES, min_period_bytes, max_buffer_bytes / 2),
        range(SND_PCM_IOPLUG_HW_BUFFER_BYTES, 2 * min_period_bytes, max_buffer_bytes),
        range(SND_PCM_IOPLUG_HW_PERIODS, 2, max_periods),
    };
    for (const int result : results) {
        if (result < 0)
            return result;
    }
    return 0;
}

VirtualPcm &device_of(snd_pcm_ioplug_t *io)
{
    return *static_cast<VirtualPcm *>(io->private_data);
}

snd_pcm_ioplug_callback_t make_callbacks()
{
    snd_pcm_ioplug_callback_t table = {};
    table.start = [](auto *io) { return device_of(io).start(); };
    table.stop = [](auto *io) { return device_of(io).stop(); };
    table.pointer = [](auto *io) { return device_of(io).pointer(); };
    table.transfer = [](auto *io, const auto *areas, auto offset, auto frames) {
        return device_of(io).transfer(areas, offset, frames);
    };
    table.close = [](auto *io) {
        device_of(io).log("closed");
        delete &device_of(io);
        return 0;
    };
    table.hw_params = [](auto *io, snd_pcm_hw_params_t *) { return device_of(io).set_hw_params(); };
    table.sw_params = [](auto *io, auto *params) { return device_of(io).set_sw_params(params); };
    table.prepare = [](auto *io) { return device_of(io).prepare(); };
    table.resume = [](auto *io) { return device_of(io).resume(); };
    table.poll_revents = [](auto *io, pollfd *, unsigned, unsigned short *events) {
        *events = device_of(io).poll_events();
        return 0;
    };
    table.delay = [](auto *io, auto *frames) { return device_of(io).delay(*frames); };
    return table;
}

snd_pcm_ioplug_callback_t make_capture_callbacks()
{
    auto table = make_callbacks();
    // For capture, nothing remains to be drained: alsa-lib stops the stream after this call. For
    // playback, alsa-lib itself waits until the ring buffer is empty.
    table.drain = [](snd_pcm_ioplug_t *) { return 0; };
    return table;
}

/// Transfers the device to alsa-lib, which owns it from then on.
int create_pcm(snd_pcm_t **pcm, const char *name, snd_pcm_stream_t stream, int mode,
               std::unique_ptr<VirtualPcm> device, const snd_pcm_ioplug_callback_t &callbacks,
               const Offer &offer)
{
    device->execute_initial_commands();
    snd_pcm_ioplug_t *io = device->io();
    io->callback = &callbacks;
    if (const int result = snd_pcm_ioplug_create(io, name, stream, mode); result < 0)
        return result;
    static_cast<void>(device.release());
    if (const int result = constrain(io, offer); result < 0) {
        snd_pcm_ioplug_delete(io);
        return result;
    }
    *pcm = io->pcm;
    return 0;
}

int open_device(snd_pcm_t **pcm, const char *name, snd_config_t *conf, snd_pcm_stream_t stream,
                int mode)
{
    static const auto capture_callbacks = make_capture_callbacks();
    static const auto playback_callbacks = make_callbacks();
    Options options;
    if (const int result = read_options(conf, options); result < 0)
        return result;

    ControlDirectory control{options.directory};
    const auto refuse = [&control](int error) {
        control.log("refused " + errno_name(error));
        return -error;
    };
    if (const auto text = control.read("open_errno"))
        return refuse(parse_errno(*text).value_or(EINVAL));
    try {
        Signal signal = options.file.empty() ? Signal::tone(options.frequency)
                                             : Signal::loop(load_wave(options.file));
        const Offer offer = make_offer(options, control, signal);
        if (offer.channels.empty() || offer.formats.empty())
            return refuse(EINVAL);
        const bool plays = stream == SND_PCM_STREAM_PLAYBACK;
        control.log(std::string(plays ? "opened playback" : "opened") +
                    (mode & SND_PCM_NONBLOCK ? " nonblock" : ""));
        auto loopback =
            options.loopback.empty() ? nullptr : std::make_unique<AudioLoopback>(options.loopback);
        if (plays)
            return create_pcm(
                pcm, name, stream, mode,
                std::make_unique<VirtualPlayback>(std::move(control), std::move(loopback)),
                playback_callbacks, offer);
        return create_pcm(pcm, name, stream, mode,
                          std::make_unique<VirtualCapture>(std::move(control), std::move(signal),
                                                           std::move(loopback)),
                          capture_callbacks, offer);
    } catch (const SignalError &error) {
        SNDERR("jkvmtest: %s", error.what());
        return refuse(EINVAL);
    }
}

} // namespace
} // namespace jkvm::testing

// alsa-lib looks up the function and its version symbol by name.
#pragma GCC visibility push(default)
extern "C" {

SND_PCM_PLUGIN_DEFINE_FUNC(jkvmtest)
{
    static_cast<void>(root);
    try {
        return jkvm::testing::open_device(pcmp, name, conf, stream, mode);
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    } catch (const std::exception &error) {
        SNDERR("jkvmtest: %s", error.what());
        return -EIO;
    }
}

SND_PCM_PLUGIN_SYMBOL(jkvmtest);
}
#pragma GCC visibility pop
