// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests how jkvmaudiosrc encodes, and changes of its settings while playing.
#include "capture/capture_test.h"
#include "core/opus/opus_packet.h"
#include "core/opus/quality_preset.h"

#include <gst/audio/streamvolume.h>

#include <array>
#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

OpusPacketFacts facts_of(const Pulled &pulled)
{
    const auto bytes = pulled.bytes();
    const auto facts = opus_packet_facts(std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(facts);
    return facts.value_or(OpusPacketFacts{});
}

class CaptureCoding : public CaptureTest {
protected:
    /// Follows until a packet has this duration, and returns it.
    Pulled follow_to_length(nanoseconds length)
    {
        return follow_until([length](const Pulled &pulled) {
            return pulled.duration() == static_cast<GstClockTime>(length.count());
        });
    }
    int int_property(const char *name)
    {
        int value = -1;
        g_object_get(src(), name, &value, nullptr);
        return value;
    }
    void send_request(const char *field, GType type, auto value)
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("sink"), "sink"));
        gst_pad_push_event(pad.get(),
                           gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                                gst_structure_new("jkvm-encoder-request", field,
                                                                  type, value, nullptr)));
    }
    guint bitrate_stat()
    {
        guint value = 0;
        gst_structure_get_uint(testing::stats_of(src()).get(), "bitrate", &value);
        return value;
    }
};

struct Expected {
    const char *direction;
    const char *quality;
    nanoseconds frame;
    int channels;
    int rate;
    double bitrate;
    Bandwidth bandwidth;
};

class CaptureQuality : public CaptureCoding, public ::testing::WithParamInterface<Expected> {};

TEST_P(CaptureQuality, DeterminesThePackets)
{
    const auto &expected = GetParam();
    pcm_.send("freq 997");
    open("buffer-time=1000000 direction=" + std::string(expected.direction) +
         " quality=" + expected.quality);
    const auto first = follow();
    EXPECT_EQ(first.int_of_caps("channels"), expected.channels);
    EXPECT_EQ(first.int_of_caps("rate"), expected.rate);
    EXPECT_EQ(latency(), static_cast<GstClockTime>(expected.frame.count()) + look_ahead);
    std::size_t bytes = 0;
    GstClockTime time = 0;
    while (time < GST_SECOND) {
        const auto pulled = follow();
        const auto facts = facts_of(pulled);
        EXPECT_EQ(pulled.duration(), static_cast<GstClockTime>(expected.frame.count()));
        EXPECT_EQ(facts.duration(), expected.frame);
        EXPECT_EQ(facts.stereo, expected.channels == 2);
        EXPECT_LE(facts.bandwidth, expected.bandwidth);
        bytes += pulled.bytes().size();
        time += pulled.duration();
    }
    // A tone needs less than the target; constrained VBR does not exceed it by much.
    EXPECT_LT(static_cast<double>(bytes) * 8, 1.2 * expected.bitrate);
    EXPECT_GT(static_cast<double>(bytes) * 8, 0.4 * expected.bitrate);
}

INSTANTIATE_TEST_SUITE_P(
    Presets, CaptureQuality,
    ::testing::Values(Expected{"output", "low", 40ms, 1, 24000, 32000, Bandwidth::superwideband},
                      Expected{"output", "medium", 20ms, 2, 48000, 96000, Bandwidth::fullband},
                      Expected{"output", "high", 20ms, 2, 48000, 192000, Bandwidth::fullband},
                      Expected{"output", "ultra", 10ms, 2, 48000, 320000, Bandwidth::fullband},
                      Expected{"microphone", "low", 40ms, 1, 16000, 16000, Bandwidth::wideband},
                      Expected{"microphone", "medium", 20ms, 1, 48000, 64000, Bandwidth::fullband},
                      Expected{"microphone", "high", 20ms, 1, 48000, 128000, Bandwidth::fullband},
                      Expected{"microphone", "ultra", 10ms, 1, 48000, 256000, Bandwidth::fullband}),
    [](const auto &info) { return std::string(info.param.direction) + "_" + info.param.quality; });

TEST_F(CaptureCoding, CapsFollowAChangeOfQualityWhilePlaying)
{
    open("buffer-time=1000000 quality=low");
    EXPECT_EQ(follow().int_of_caps("channels"), 1);
    for (int round = 0; round < 3; ++round) {
        gst_util_set_object_arg(G_OBJECT(src()), "quality", "ultra");
        const auto ultra = follow_to_length(10ms);
        EXPECT_EQ(ultra.int_of_caps("channels"), 2);
        EXPECT_EQ(ultra.int_of_caps("rate"), 48000);
        EXPECT_TRUE(facts_of(ultra).stereo);
        EXPECT_EQ(latency(), 10 * GST_MSECOND + look_ahead);
        gst_util_set_object_arg(G_OBJECT(src()), "quality", "low");
        const auto low = follow_to_length(40ms);
        EXPECT_EQ(low.int_of_caps("channels"), 1);
        EXPECT_EQ(low.int_of_caps("rate"), 24000);
        EXPECT_FALSE(facts_of(low).stereo);
        EXPECT_EQ(latency(), 40 * GST_MSECOND + look_ahead);
    }
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(stat("silent-frames"), 0u);
    EXPECT_EQ(pcm_.count_log("opened"), 1u);
}

TEST_F(CaptureCoding, OneSettingMakesTheQualityCustomAndNotifies)
{
    std::vector<std::string> notified;
    open();
    const auto note = +[](GObject *, GParamSpec *spec, std::vector<std::string> *names) {
        names->emplace_back(spec->name);
    };
    g_signal_connect(src(), "notify", G_CALLBACK(note), &notified);
    set("bitrate", 64000);
    EXPECT_EQ(int_property("quality"), 4);
    EXPECT_EQ(notified, (std::vector<std::string>{"bitrate", "quality"}));
    notified.clear();
    gst_util_set_object_arg(G_OBJECT(src()), "quality", "ultra");
    EXPECT_EQ(int_property("bitrate"), 320000);
    EXPECT_EQ(int_property("frame-size"), 10);
    EXPECT_EQ(int_property("complexity"), 8);
    EXPECT_EQ(std::ranges::count(notified, "bitrate"), 1);
    EXPECT_EQ(std::ranges::count(notified, "dtx"), 0);
}

TEST_F(CaptureCoding, NamesNicksAndRangesMatchOpusenc)
{
    make({});
    auto *opusenc = gst_element_factory_make("opusenc", nullptr);
    ASSERT_NE(opusenc, nullptr);
    gst_object_ref_sink(opusenc);
    for (const char *name : {"audio-type", "bandwidth", "bitrate", "bitrate-type", "complexity",
                             "dtx", "frame-size", "inband-fec", "packet-loss-percentage"}) {
        auto *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(src()), name);
        auto *opusenc_spec = g_object_class_find_property(G_OBJECT_GET_CLASS(opusenc), name);
        ASSERT_NE(spec, nullptr) << name;
        ASSERT_NE(opusenc_spec, nullptr) << name;
        EXPECT_NE(spec->flags & GST_PARAM_MUTABLE_PLAYING, 0) << name;
        EXPECT_EQ(G_PARAM_SPEC_TYPE(spec), G_PARAM_SPEC_TYPE(opusenc_spec)) << name;
        if (G_IS_PARAM_SPEC_INT(spec)) {
            EXPECT_EQ(G_PARAM_SPEC_INT(spec)->minimum, G_PARAM_SPEC_INT(opusenc_spec)->minimum)
                << name;
            EXPECT_EQ(G_PARAM_SPEC_INT(spec)->maximum, G_PARAM_SPEC_INT(opusenc_spec)->maximum)
                << name;
        }
        if (!G_IS_PARAM_SPEC_ENUM(spec))
            continue;
        const auto *enum_class = G_PARAM_SPEC_ENUM(spec)->enum_class;
        const auto *opusenc_class = G_PARAM_SPEC_ENUM(opusenc_spec)->enum_class;
        ASSERT_EQ(enum_class->n_values, opusenc_class->n_values) << name;
        for (guint i = 0; i < opusenc_class->n_values; ++i) {
            const auto *value = g_enum_get_value_by_nick(const_cast<GEnumClass *>(enum_class),
                                                         opusenc_class->values[i].value_nick);
            ASSERT_NE(value, nullptr) << name << " " << opusenc_class->values[i].value_nick;
            EXPECT_EQ(value->value, opusenc_class->values[i].value);
        }
    }
    gst_object_unref(opusenc);
}

TEST_F(CaptureCoding, FrameSizesChangeWithoutAGapAndWithinTheLatency)
{
    open("buffer-time=1000000");
    const std::pair<const char *, nanoseconds> sizes[] = {
        {"2.5", 2500us}, {"60", 60ms}, {"5", 5ms}, {"40", 40ms}, {"10", 10ms}, {"20", 20ms}};
    for (const auto &[nick, length] : sizes) {
        gst_util_set_object_arg(G_OBJECT(src()), "frame-size", nick);
        const auto pulled = follow_to_length(length);
        EXPECT_EQ(facts_of(pulled).duration(), length);
        EXPECT_EQ(latency(), static_cast<GstClockTime>(length.count()) + look_ahead);
    }
    EXPECT_EQ(stat("overruns"), 0u);
}

TEST_F(CaptureCoding, SettingsTakeEffectInThePackets)
{
    open("buffer-time=1000000 bitrate-type=cbr bitrate=64000");
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(follow().bytes().size(), 160u);
    gst_util_set_object_arg(G_OBJECT(src()), "bandwidth", "narrowband");
    follow_until([](const Pulled &p) { return facts_of(p).bandwidth == Bandwidth::narrowband; });
    gst_util_set_object_arg(G_OBJECT(src()), "bandwidth", "fullband");
    gst_util_set_object_arg(G_OBJECT(src()), "audio-type", "voice");
    gst_util_set_object_arg(G_OBJECT(src()), "signal", "voice");
    set("bitrate", 16000);
    follow_until([](const Pulled &p) { return facts_of(p).mode == OpusMode::silk; });
    EXPECT_EQ(text_stat("codec-mode"), "silk");
    gst_util_set_object_arg(G_OBJECT(src()), "audio-type", "restricted-lowdelay");
    follow_until([](const Pulled &p) { return facts_of(p).mode == OpusMode::celt; });
    EXPECT_EQ(latency(), 22500 * GST_USECOND); // 2.5 ms of look-ahead
}

TEST_F(CaptureCoding, ContradictionCausesAWarning)
{
    open();
    follow();
    set("inband-fec", TRUE);
    const auto message = pipeline_->wait_for(GST_MESSAGE_WARNING);
    ASSERT_TRUE(message);
    GError *warning = nullptr;
    gst_message_parse_warning(message.get(), &warning, nullptr);
    EXPECT_TRUE(g_error_matches(warning, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS));
    EXPECT_NE(std::string(warning->message).find("packet-loss-percentage"), std::string::npos);
    g_error_free(warning);
    follow();
}

TEST_F(CaptureCoding, AppliesAReceiversRequestWithinTheLimits)
{
    open("buffer-time=1000000 min-bitrate=24000 max-bitrate=128000");
    follow();
    send_request("bitrate", G_TYPE_UINT, 500000);
    follow_until([&](const Pulled &) { return bitrate_stat() == 128000; });
    send_request("bitrate", G_TYPE_UINT, 500);
    follow_until([&](const Pulled &) { return bitrate_stat() == 24000; });
    send_request("frame-size", G_TYPE_UINT, 2880);
    follow_to_length(60ms);
    EXPECT_EQ(int_property("bitrate"), 96000); // the owner's setting is unchanged
    EXPECT_EQ(int_property("quality"), static_cast<int>(Quality::medium));
    gst_util_set_object_arg(G_OBJECT(src()), "quality", "high");
    follow_to_length(20ms);
    EXPECT_EQ(bitrate_stat(), 192000u);
}

TEST_F(CaptureCoding, WithdrawnRequestRestoresTheOwnersSettings)
{
    open("buffer-time=1000000 quality=high");
    send_request("bitrate", G_TYPE_UINT, 40000);
    send_request("frame-size", G_TYPE_UINT, 1920);
    follow_to_length(40ms);
    ASSERT_EQ(bitrate_stat(), 40000u);
    send_request("withdrawn", G_TYPE_BOOLEAN, TRUE);
    follow_to_length(20ms);
    EXPECT_EQ(bitrate_stat(), 192000u);
    EXPECT_EQ(int_property("quality"), static_cast<int>(Quality::high));
}

TEST_F(CaptureCoding, AppliesARequestedQuality)
{
    open("buffer-time=1000000 quality=low");
    follow();
    send_request("quality", G_TYPE_STRING, "ultra");
    follow_to_length(10ms);
    EXPECT_EQ(bitrate_stat(), 320000u);
    EXPECT_EQ(int_property("quality"), static_cast<int>(Quality::low));
    send_request("withdrawn", G_TYPE_BOOLEAN, TRUE);
    follow_to_length(40ms);
    EXPECT_EQ(bitrate_stat(), 32000u);
}

TEST_F(CaptureCoding, RequestEndsWithTheSession)
{
    open("buffer-time=1000000");
    send_request("bitrate", G_TYPE_UINT, 40000);
    follow_until([&](const Pulled &) { return bitrate_stat() == 40000; });
    pipeline_->set_state(GST_STATE_READY);
    pipeline_->play();
    pull();
    EXPECT_EQ(bitrate_stat(), 96000u);
}

TEST_F(CaptureCoding, ReportsTheEncodeTime)
{
    open("buffer-time=1000000 stats-interval=1");
    follow();
    pipeline_->wait_for_element_message("application/x-jkvm-audiosrc-stats");
    pipeline_->wait_for_element_message("application/x-jkvm-audiosrc-stats");
    pipeline_->set_state(GST_STATE_READY);
    EXPECT_GE(stat("frames"), 2u);
    EXPECT_EQ(stat("encode-time-samples"), stat("frames"));
    EXPECT_GT(stat("encode-time-sum"), 0u);
    EXPECT_GE(stat("encode-time-sum"), stat("encode-time-max"));
}

TEST_F(CaptureCoding, PartialRequestKeepsTheOwnersBitrate)
{
    open("buffer-time=1000000 max-bitrate=64000 bitrate=128000");
    follow();
    send_request("complexity", G_TYPE_UINT, 0);
    send_request("frame-size", G_TYPE_UINT, 1920);
    follow_to_length(40ms);
    EXPECT_EQ(bitrate_stat(), 128000u);
}

TEST_F(CaptureCoding, RequestedLossEnablesFec)
{
    open("buffer-time=1000000 audio-type=voice signal=voice bitrate=24000 inband-fec=true "
         "packet-loss-percentage=0");
    follow();
    send_request("packet-loss-percentage", G_TYPE_UINT, 20);
    // The second bit of a 20 ms SILK packet flags a copy of the last frame (RFC
    // 6716, 4.2.3).
    follow_until([](const Pulled &p) {
        return facts_of(p).mode == OpusMode::silk && (p.bytes().at(1) & 0x40) != 0;
    });
}

TEST_F(CaptureCoding, SettingsMayChangeFromManyThreads)
{
    open("buffer-time=1000000");
    std::atomic<bool> is_over{false};
    std::array<std::thread, 3> setters;
    for (int t = 0; t < 3; ++t)
        setters.at(static_cast<std::size_t>(t)) = std::thread([&, t] {
            for (int i = 0; !is_over; ++i) {
                set("bitrate", 32000 + 1000 * (i % 64), "complexity", i % 11);
                gst_util_set_object_arg(G_OBJECT(src()), "quality", t == 0 ? "low" : "ultra");
                set("volume", 0.1 * (i % 10), "mute", i % 3 == 0);
                testing::stats_of(src());
                g_usleep(100);
            }
        });
    for (int i = 0; i < 50; ++i)
        follow();
    is_over = true;
    for (auto &setter : setters)
        setter.join();
    EXPECT_EQ(stat("overruns"), 0u);
}

TEST_F(CaptureCoding, MuteIsEncodedSilenceWithinOneFrame)
{
    open("buffer-time=1000000");
    auto *const caps = gst_sample_get_caps(follow().sample.get());
    set("mute", TRUE);
    follow_until([](const Pulled &p) { return p.bytes().size() == 3; });
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(follow().bytes().size(), 3u);
    set("mute", FALSE);
    const auto loud = follow_until([](const Pulled &p) { return p.bytes().size() > 100; });
    EXPECT_TRUE(gst_caps_is_strictly_equal(gst_sample_get_caps(loud.sample.get()), caps));
}

TEST_F(CaptureCoding, VolumeFadesWithinOneFrame)
{
    open_samples("buffer-time=1000000");
    for (int i = 0; i < 5; ++i)
        follow();
    set("volume", 0.25);
    const auto peak = [](const Pulled &p) { return std::ranges::max(p.samples()); };
    std::vector<int> peaks;
    follow_until([&](const Pulled &p) {
        peaks.push_back(peak(p));
        return peaks.back() < 4200;
    });
    // All frames but one are unchanged.
    peaks.pop_back();
    EXPECT_LE(std::ranges::count_if(peaks, [](int p) { return p < 16000; }), 1);
    EXPECT_NEAR(peak(follow()), 4096, 40);
    gst_stream_volume_set_mute(GST_STREAM_VOLUME(src()), TRUE);
    follow_until([](const Pulled &p) { return p.is_silence(); });
    gst_stream_volume_set_mute(GST_STREAM_VOLUME(src()), FALSE);
    gst_stream_volume_set_volume(GST_STREAM_VOLUME(src()), GST_STREAM_VOLUME_FORMAT_LINEAR, 1);
    follow_until([&](const Pulled &p) { return peak(p) > 16000; });
}

TEST_F(CaptureCoding, LevelsMatchTheTone)
{
    open_samples();
    for (int i = 0; i < 3; ++i)
        follow();
    EXPECT_EQ(stat("device-buffer"), 500 * GST_MSECOND) << "the default";
    const auto stats = testing::stats_of(src());
    const auto *levels = gst_structure_get_value(stats.get(), "levels");
    ASSERT_EQ(gst_value_array_get_size(levels), 2u);
    for (guint c = 0; c < 2; ++c) {
        const auto *level = gst_value_get_structure(gst_value_array_get_value(levels, c));
        double peak = 0;
        double rms = 0;
        gst_structure_get(level, "peak", G_TYPE_DOUBLE, &peak, "rms", G_TYPE_DOUBLE, &rms, nullptr);
        EXPECT_NEAR(peak, -6.02, 0.05);
        EXPECT_NEAR(rms, -9.03, 0.1);
    }
}

TEST_F(CaptureCoding, PushesSamplesIfDownstreamDoesNotAcceptOpus)
{
    open_samples();
    const auto pulled = follow();
    EXPECT_EQ(pulled.int_of_caps("rate"), 48000);
    EXPECT_EQ(pulled.int_of_caps("channels"), 2);
    EXPECT_EQ(pulled.samples().size(), 2u * 960);
    EXPECT_EQ(latency(), 20 * GST_MSECOND); // without the look-ahead of an encoder
}

} // namespace
} // namespace jkvm
