// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/audio/measured_window.h"

#include <dlfcn.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

using Hook = void (*)();

/// Returns a function of a preloaded library, or null if there is none.
Hook find_hook(const char *name)
{
    return reinterpret_cast<Hook>(::dlsym(RTLD_DEFAULT, name));
}

void call(Hook hook)
{
    if (hook != nullptr)
        hook();
}

} // namespace

extern "C" {

[[gnu::noinline]] void bench_window_begins()
{
    call(find_hook("preloaded_window_begins"));
}

[[gnu::noinline]] void bench_window_ends()
{
    call(find_hook("preloaded_window_ends"));
}
}

namespace jkvm::benchmark {

MeasuredWindow::MeasuredWindow(std::uint64_t settle, std::uint64_t frames)
    : begin_(settle), end_(settle + frames)
{}

bool MeasuredWindow::count()
{
    static const Hook frame_arrived = find_hook("preloaded_frame_arrived");
    const auto time = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
    ++frames_;
    // Reading the context switches takes time and is outside of the measured time.
    if (frames_ == begin_) {
        switches_ = read_switches();
        time_ = time();
        processor_time_ = processor_time();
        bench_window_begins();
    } else if (frames_ == end_) {
        bench_window_ends();
        processor_time_ = processor_time() - processor_time_;
        time_ = time() - time_;
        for (const auto &[thread, count] : read_switches())
            switches_[thread] = count - switches_[thread];
    }
    call(frame_arrived);
    return frames_ < end_;
}

std::chrono::nanoseconds MeasuredWindow::processor_time()
{
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

MeasuredWindow::Switches MeasuredWindow::read_switches()
{
    Switches switches;
    for (const auto &thread : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream status(thread.path() / "status");
        std::string word;
        while (status >> word && word != "voluntary_ctxt_switches:") {
        }
        status >> switches[std::stoi(thread.path().filename())];
    }
    return switches;
}

std::string MeasuredWindow::report() const
{
    const auto frames = end_ - begin_;
    std::uint64_t switches = 0;
    std::uint64_t threads = 0;
    for (const auto &[thread, count] : switches_) {
        switches += count;
        threads += count * 10 >= frames ? 1 : 0;
    }
    std::ostringstream json;
    json << "{\"frames\": " << frames << ", \"ns\": " << time_.count()
         << ", \"processor_ns\": " << processor_time_.count() << ", \"switches\": " << switches
         << ", \"threads\": " << threads << "}";
    return json.str();
}

} // namespace jkvm::benchmark
