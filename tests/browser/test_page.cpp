// SPDX-License-Identifier: LGPL-2.1-or-later
// Listens and speaks with the page of jkvm-browser in headless Chromium.
#include "browser_test.h"
#include "chromium.h"

#include "core/base/time.h"
#include "support/gst_test.h"

#include <gst/app/gstappsink.h>

#include <cmath>
#include <fstream>
#include <numbers>
#include <optional>

namespace jkvm::testing {
namespace {

constexpr double rate = 48000;

/// Writes a WAV file of a sine: 48 kHz, 16 bits, mono, 10 s.
void write_tone(const std::string &path, int frequency)
{
    Pipeline pipeline("audiotestsrc num-buffers=500 samplesperbuffer=960 volume=0.5 freq=" +
                      std::to_string(frequency) +
                      " ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! wavenc ! "
                      "filesink location=" +
                      path);
    pipeline.play();
    pipeline.wait_for_eos();
}

/// Returns the share of the power that a sine of this frequency has.
double share_of_tone(const std::vector<float> &samples, double frequency)
{
    double sine = 0;
    double cosine = 0;
    double power = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto phase = 2 * std::numbers::pi * frequency * static_cast<double>(i) / rate;
        const double sample = samples[i];
        sine += sample * std::sin(phase);
        cosine += sample * std::cos(phase);
        power += sample * sample;
    }
    return power > 0
               ? 2 * (sine * sine + cosine * cosine) / (power * static_cast<double>(samples.size()))
               : 0;
}

/// The strongest frequency of what the page plays (Hz), to a fraction of the spectrum's resolution.
constexpr const char *measure_frequency_script = R"((async () => {
  if (!window.testAnalyser) {
    const context = new AudioContext({sampleRate: 48000});
    window.testAnalyser = new AnalyserNode(context, {fftSize: 16384, smoothingTimeConstant: 0});
    context.createMediaStreamSource(audio.srcObject).connect(window.testAnalyser);
  }
  const spectrum = new Float32Array(window.testAnalyser.frequencyBinCount);
  window.testAnalyser.getFloatFrequencyData(spectrum);
  const peak = spectrum.indexOf(Math.max(...spectrum));
  const [a, b, c] = spectrum.slice(peak - 1, peak + 2);
  return (peak + (a - c) / (2 * (a - 2 * b + c))) * 48000 / 16384;
})())";

class Page : public ::testing::Test {
protected:
    /// Opens the page in a new tab.
    std::unique_ptr<ChromiumPage> open(Chromium &chromium)
    {
        return chromium.open("http://127.0.0.1:" + std::to_string(program_.port()) + "/");
    }
    [[nodiscard]] std::string file(const std::string &name) const { return directory_.file(name); }

    /// Clicks a button and waits for the text beside it.
    static void click(ChromiumPage &page, const std::string &button, const std::string &result)
    {
        page.evaluate("document.getElementById('" + button + "').click()");
        page.expect("document.getElementById('" +
                        (button == "listen" ? "state" : button + "-state") + "').textContent",
                    result);
    }
    /// Browsers take a lasting tone for noise, and suppress it.
    static void disable_noise_suppression(ChromiumPage &page)
    {
        page.evaluate("{const original = navigator.mediaDevices.getUserMedia"
                      ".bind(navigator.mediaDevices);"
                      "navigator.mediaDevices.getUserMedia = () => original({audio: {"
                      "echoCancellation: false, noiseSuppression: false, autoGainControl: false"
                      "}});}");
    }

private:
    TemporaryDirectory directory_;
    BrowserProgram program_{{"--microphone=" + file("microphone.sock"), file("audio.sock")}};
};

class Listening : public Page, public ::testing::WithParamInterface<int> {};

TEST_P(Listening, PlaysTheMachinesTone)
{
    const Program machine(
        gst_launch("audiotestsrc is-live=true samplesperbuffer=960 volume=0.5 freq=" +
                   std::to_string(GetParam()) +
                   " ! audio/x-raw,rate=48000,channels=2 ! opusenc bitrate=96000 ! "
                   "jkvmipcsink socket-path=" +
                   file("audio.sock")));
    Chromium chromium;
    const auto page = open(chromium);
    click(*page, "listen", "Playing");
    double frequency = 0;
    const auto give_up = monotonic_now() + wait_timeout;
    do // the spectrum of 340 ms may begin with silence
        frequency = std::atof(page->evaluate(measure_frequency_script).c_str());
    while (std::abs(frequency - GetParam()) > 1 && monotonic_now() < give_up);
    EXPECT_NEAR(frequency, GetParam(), 1);
    page->expect("Number(document.getElementById('received').textContent) > 50", "true");
    page->expect("document.getElementById('lost').textContent", "0");
    click(*page, "listen", "Not listening");
}

INSTANTIATE_TEST_SUITE_P(Tones, Listening, ::testing::Values(700, 997),
                         ::testing::PrintToStringParamName());

class Speaking : public Page {
protected:
    /// Returns half a second of what the machine hears, after waiting for the tone.
    std::vector<float> hear(int tone)
    {
        std::vector<float> samples;
        const auto give_up = monotonic_now() + wait_timeout;
        do
            samples = pull(std::size_t(rate / 2));
        while (share_of_tone(samples, tone) < 0.9 && monotonic_now() < give_up);
        return samples;
    }
    void start_machine()
    {
        machine_.emplace("jkvmipcsrc direction=microphone socket-path=" + file("microphone.sock") +
                         " ! opusdec ! audioconvert ! audioresample ! "
                         "audio/x-raw,format=F32LE,rate=48000,channels=1 ! "
                         "appsink name=audio sync=false");
        machine_->play();
    }

private:
    std::vector<float> pull(std::size_t count)
    {
        std::vector<float> samples;
        auto *sink = GST_APP_SINK(machine_->element("audio"));
        while (samples.size() < count) {
            const auto sample = GstRef<GstSample>::adopt(
                gst_app_sink_try_pull_sample(sink, std::chrono::nanoseconds(wait_timeout).count()));
            if (!sample) {
                ADD_FAILURE() << "the machine hears nothing";
                return samples;
            }
            auto *buffer = gst_sample_get_buffer(sample.get());
            const auto begin = samples.size();
            samples.resize(begin + gst_buffer_get_size(buffer) / sizeof(float));
            gst_buffer_extract(buffer, 0, &samples[begin], gst_buffer_get_size(buffer));
        }
        return samples;
    }

    std::optional<Pipeline> machine_;
};

TEST_F(Speaking, IsHeardByTheMachine)
{
    constexpr int tone = 600;
    write_tone(file("tone.wav"), tone);
    start_machine();
    Chromium chromium(file("tone.wav"));
    const auto page = open(chromium);
    disable_noise_suppression(*page);
    click(*page, "speak", "The machine hears you");
    const auto samples = hear(tone);
    EXPECT_GE(share_of_tone(samples, tone), 0.9);
    EXPECT_LE(share_of_tone(samples, tone + 100), 0.1);
    click(*page, "speak", "Microphone off");
}

TEST_F(Speaking, OnePageSpeaksAtATime)
{
    start_machine();
    auto first_browser = std::make_unique<Chromium>();
    auto first = open(*first_browser);
    click(*first, "speak", "The machine hears you");
    Chromium second_browser;
    const auto second = open(second_browser);
    click(*second, "speak", "Could not connect: someone else is speaking.");

    first.reset();
    first_browser.reset(); // kills it
    const auto killed = monotonic_now();
    while (second->evaluate("document.getElementById('speak-state').textContent") !=
               "The machine hears you" &&
           monotonic_now() < killed + wait_timeout) {
        second->evaluate("document.getElementById('speak').textContent === 'Speak' && "
                         "document.getElementById('speak').click()");
    }
    second->expect("document.getElementById('speak-state').textContent", "The machine hears you");
    RecordProperty("ms_until_free", static_cast<int>((monotonic_now() - killed).count() / 1000000));
}

} // namespace
} // namespace jkvm::testing
