// SPDX-License-Identifier: LGPL-2.1-or-later
// adaptive-replay: scores a playout policy on recorded arrivals. Prints a JSON object.
#include "benchmarks/replay.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace {

using namespace jkvm;

constexpr auto usage =
    "usage: adaptive-replay --policy tail-cost|weighted|fixed [--adapt frames|slew]\n"
    "                       [--frame-ms 20] [--skip-s 10] [--set PROPERTY=VALUE]...\n"
    "                       TRACE.csv[.gz]\n"
    "The trace has the columns media_ms,arrival_ms[,reference_ms].\n"
    "Properties (times in milliseconds):\n";

struct Options {
    PlayoutConfig config;
    benchmark::ReplaySettings settings;
    benchmark::SteadyLoad load;
    std::string trace;
};

nanoseconds from_milliseconds(double value)
{
    return nanoseconds(static_cast<std::int64_t>(value * 1e6));
}

/// Returns the properties that --set accepts, except drift-mode.
std::map<std::string, std::function<void(double)>> settable_properties(Options &options)
{
    auto &c = options.config;
    auto &w = c.weighted;
    const auto time = [](nanoseconds &target) {
        return [&target](double value) { target = from_milliseconds(value); };
    };
    const auto number = [](auto &target) {
        return [&target](double value) {
            target = static_cast<std::remove_reference_t<decltype(target)>>(value);
        };
    };
    std::map<std::string, std::function<void(double)>> known{
        {"late-cost", number(c.tail_cost.late_cost)},
        {"delay", time(c.fixed.delay)},
        {"min-delay", time(c.min_delay)},
        {"max-delay", time(c.max_delay)},
        {"max-frames", number(c.max_frames)},
        {"max-time", time(c.max_time)},
        {"conceal-step", time(options.settings.conceal_step)},
        {"longest-conceal-step", time(options.settings.maximum_conceal_step)},
        {"cpu-percent", number(options.load.load.cpu_percent)},
        {"memory-percent", number(options.load.load.memory_percent)},
        {"weighted-min-frames", number(w.min_frames)},
        {"weighted-max-frames", number(w.max_frames)},
        {"weighted-start-frames", number(w.start_frames)},
        {"weighted-interval", time(w.interval)},
        {"weighted-smoothing", number(w.smoothing)},
        {"weighted-fractional-size", number(w.fractional_size)},
        {"weighted-queue-latency", number(w.queue_latency)},
    };
    const std::array<std::pair<std::string, WeightedConfig::Input *>, 3> inputs{
        {{"cpu", &w.cpu}, {"memory", &w.memory}, {"latency", &w.latency}}};
    for (const auto &[name, input] : inputs) {
        known["weighted-" + name + "-low"] = number(input->low);
        known["weighted-" + name + "-high"] = number(input->high);
        known["weighted-" + name + "-weight"] = number(input->weight);
    }
    return known;
}

[[noreturn]] void fail(const std::string &why)
{
    std::fprintf(stderr, "adaptive-replay: %s\n", why.c_str());
    std::exit(2);
}

double parse_number(const std::string &text)
{
    char *end = nullptr;
    const auto value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0')
        fail("\"" + text + "\" is not a number");
    return value;
}

void set_policy(Options &options, std::string_view name)
{
    if (name == "tail-cost")
        options.config.policy = PolicyKind::tail_cost;
    else if (name == "weighted")
        options.config.policy = PolicyKind::weighted;
    else if (name == "fixed")
        options.config.policy = PolicyKind::fixed;
    else
        fail("unknown policy \"" + std::string(name) + "\"; --help lists them");
}

void set_adapt(Options &options, std::string_view name)
{
    if (name == "frames")
        options.config.adapt = AdaptMode::frames;
    else if (name == "slew")
        options.config.adapt = AdaptMode::slew;
    else
        fail("--adapt is frames or slew");
}

void set_property(Options &options, const std::string &assignment)
{
    const auto equals = assignment.find('=');
    if (equals == std::string::npos)
        fail("--set requires PROPERTY=VALUE");
    const auto name = assignment.substr(0, equals);
    const auto value = assignment.substr(equals + 1);
    if (name == "drift-mode") {
        if (value != "pts" && value != "frames")
            fail("drift-mode must be pts or frames");
        options.config.drift_mode = value == "pts" ? DriftMode::pts : DriftMode::frames;
        return;
    }
    const auto known = settable_properties(options);
    const auto property = known.find(name);
    if (property == known.end())
        fail("unknown property \"" + name + "\"; --help lists them");
    property->second(parse_number(value));
}

void parse(Options &options, int argc, char **argv)
{
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--help") {
            std::fputs(usage, stdout);
            for (const auto &[name, set] : settable_properties(options))
                std::printf("  %s\n", name.c_str());
            std::puts("  drift-mode (pts, frames)");
            std::exit(0);
        }
        if (argument.substr(0, 2) != "--") {
            options.trace = argument;
            continue;
        }
        if (++i == argc)
            fail(std::string(argument) + " requires a value");
        if (argument == "--policy")
            set_policy(options, argv[i]);
        else if (argument == "--adapt")
            set_adapt(options, argv[i]);
        else if (argument == "--frame-ms")
            options.settings.frame_duration = from_milliseconds(parse_number(argv[i]));
        else if (argument == "--skip-s")
            options.settings.skip = from_milliseconds(1000 * parse_number(argv[i]));
        else if (argument == "--set")
            set_property(options, argv[i]);
        else
            fail("unknown option " + std::string(argument) + "; --help lists them");
    }
    if (options.trace.empty())
        fail("no trace was given; --help shows the usage");
    if (options.settings.frame_duration <= nanoseconds(0) ||
        options.settings.conceal_step <= nanoseconds(0))
        fail("frame-ms and conceal-step must be greater than 0");
}

} // namespace

int main(int argc, char **argv)
{
    Options options;
    parse(options, argc, argv);
    auto trace = benchmark::read_trace(options.trace);
    if (!trace)
        fail(trace.error().subject + ": " + trace.error().detail);
    const auto result = benchmark::replay(*trace, options.config, options.load, options.settings);
    std::puts(benchmark::to_json(result.score).c_str());
}
