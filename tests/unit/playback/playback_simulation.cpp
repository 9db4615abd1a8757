// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/playback_simulation.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

constexpr auto packet = 20ms;
constexpr auto ring_target = 24ms;
constexpr double rate = 48000;

} // namespace

double PlaybackSimulation::Figures::ratio_noise() const
{
    return std::sqrt(squared_ratio_error / static_cast<double>(packets));
}

PlaybackSimulation::PlaybackSimulation(const SimulatedDevice &device)
    : device_(device), now_(1h), due_(now_ + 100ms), next_stall_(now_ + device.stall_every)
{
    write_at_ = due_ - ring_target;
    start_device();
}

void PlaybackSimulation::start_device()
{
    started_ = read_at_ = now_;
    written_ = static_cast<std::uint64_t>(0.1 * rate); // of silence
    has_started_playing_ = false;
    clock_.restart();
    edges_.restart();
    control_.realign();
}

void PlaybackSimulation::restart_device()
{
    now_ += 200ms;
    while (due_ < now_ + ring_target) {
        due_ += packet;
        write_at_ += packet;
    }
    start_device();
}

double PlaybackSimulation::played_by(MonotonicTime time) const
{
    return std::chrono::duration<double>(time - started_).count() * rate * (1 + device_.ppm * 1e-6);
}

MonotonicTime PlaybackSimulation::true_time_of(double frame) const
{
    return started_ + nanoseconds(std::llround(1e9 * frame / (rate * (1 + device_.ppm * 1e-6))));
}

nanoseconds PlaybackSimulation::random_up_to(nanoseconds limit)
{
    random_ = random_ * 6364136223846793005 + 1442695040888963407;
    return nanoseconds(static_cast<std::int64_t>(
        (random_ >> 32) * static_cast<std::uint64_t>(limit.count()) >> 32));
}

nanoseconds PlaybackSimulation::lateness()
{
    // One wake-up in a hundred is late by up to 2 ms.
    const auto late = random_up_to(70us) + 20us;
    return random_up_to(100ns) == 0ns ? late + random_up_to(2ms) : late;
}

void PlaybackSimulation::run(nanoseconds time)
{
    const auto end = now_ + time;
    while (now_ < end) {
        const bool reads = read_at_ <= write_at_;
        now_ = std::max(now_, (reads ? read_at_ : write_at_) + lateness());
        if (device_.stall > 0ns && now_ >= next_stall_) {
            now_ += device_.stall - random_up_to(4ms);
            next_stall_ += device_.stall_every;
        }
        if (reads)
            read_pointer();
        else
            write_packet();
    }
}

void PlaybackSimulation::read_pointer()
{
    const auto played = static_cast<std::uint64_t>(played_by(now_));
    const auto pointer = played - played % device_.step;
    const auto time = edges_.on_reading(pointer, now_);
    if (time)
        clock_.observe(pointer, *time);
    const bool rests = time && clock_.observations() >= 3;
    read_at_ = edges_.next_reading(clock_, rests ? now_ + device_.pause : now_);
    if (read_at_ <= now_)
        read_at_ = now_ + PointerEdgeDetector::resolution;
}

void PlaybackSimulation::write_packet()
{
    const bool can_play = clock_.observations() >= 3;
    if (can_play) {
        const auto step = control_.next(clock_, written_, due_);
        if (step.silence != 0 && has_started_playing_)
            ++figures_.jumps;
        has_started_playing_ = true;
        written_ += static_cast<std::uint64_t>(step.silence);
        if (static_cast<double>(written_) < played_by(now_))
            ++figures_.underruns;
        const auto error = true_time_of(static_cast<double>(written_) + fraction_) - due_;
        figures_.earliest = std::min(figures_.earliest, error);
        figures_.latest = std::max(figures_.latest, error);
        const double ratio_error = 1e6 * (step.ratio - 1) - device_.ppm;
        figures_.squared_ratio_error += ratio_error * ratio_error;
        ++figures_.packets;
        if (std::chrono::abs(error) > 500us)
            locked_after_ = now_ - started_;
        fraction_ += 960 * step.ratio;
        written_ += static_cast<std::uint64_t>(fraction_);
        fraction_ -= std::floor(fraction_);
    } else {
        // Silence for as long as the clock is not known.
        written_ += 960;
    }
    due_ += packet;
    write_at_ += packet;
}

} // namespace jkvm
