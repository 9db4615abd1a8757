#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Generates traces of frame arrivals that imitate bad networks and busy machines.

usage: traces.py NAME SEED [FRAMES] > TRACE.csv

The same name and seed produce the same trace. docs/internals/adaptive.md lists the names.
"""

import sys

import numpy as np

FRAME_MS = 20.0
FRAMES = 30000
BASE_TRANSIT_MS = 1.0


def released_by(stalls, due):
    """Returns arrival times: a frame due during a stall (start, end) arrives at its end. The stalls
    are sorted by start."""
    arrival = due.copy()
    for start, end in stalls:
        inside = (arrival >= start) & (arrival < end)
        arrival[inside] = end
    return arrival


def poisson_times(rng, mean_gap, end):
    """Returns times in [0, end) with exponentially distributed gaps."""
    times = np.cumsum(rng.exponential(mean_gap, int(2 * end / mean_gap) + 50))
    return times[times < end]


def states(rng, mean, end):
    """Returns the end times of states of exponentially distributed length, up to the first one after
    `end`."""
    ends = np.cumsum(rng.exponential(mean, int(3 * end / mean) + 50))
    return ends[: np.searchsorted(ends, end) + 1]


def quiet(rng, t):
    return t + np.abs(rng.normal(0, 0.5, t.size))


def normal(rng, t):
    return t + np.maximum(0, rng.normal(24, 8, t.size))


def gamma(rng, t):
    return t + rng.gamma(2, 8, t.size)


def pareto(rng, t):
    return t + np.minimum(400, 6 * rng.pareto(2.5, t.size))


def ramjee(rng, t):
    jittered = t + rng.gamma(2, 3, t.size)
    starts = poisson_times(rng, 15000, t[-1])
    return released_by(zip(starts, starts + rng.uniform(60, 250, starts.size)), jittered)


def sched(rng, t):
    loaded = np.searchsorted(states(rng, 20000, t[-1]), t) % 2 == 1
    due = t + np.abs(rng.normal(0, 0.5, t.size))
    due += loaded * np.abs(rng.normal(0, 2, t.size))
    stalled = loaded & (rng.random(t.size) < 0.05)
    due += stalled * np.minimum(rng.exponential(30, t.size), 150)
    return due


def wifi(rng, t):
    end = t[-1] + 2000
    bad_starts = np.sort(rng.uniform(0, t[-1], 20))
    services = []
    now = 0.0
    while now < end:
        bad = np.any((bad_starts <= now) & (now < bad_starts + 3000))
        now += rng.exponential(40 if bad else 8)
        services.append(now)
    services = np.array(services)
    # An outage of 120 ms every 12 s.
    services = services[services % 12000 >= 120]
    return services[np.searchsorted(services, t)]


def step(rng, t):
    progress = np.arange(t.size) / t.size
    jittery = (progress >= 0.3) & (progress < 0.7)
    return t + rng.gamma(2, 1, t.size) * np.where(jittery, 15, 2)


def small_gamma(rng, t):
    return t + rng.gamma(2, 3, t.size)


def pause(rng, t):
    return t + rng.gamma(2, 4, t.size)


def throttle(rng, t):
    due = t + np.abs(rng.normal(0, 0.5, t.size))
    odd_minute = (due // 60000) % 2 == 1
    phase = due % 100
    return np.where(odd_minute & (phase >= 25), due - phase + 100, due)


def route(rng, t):
    return t + route_base(t) + rng.gamma(2, 4, t.size)


def route_base(t):
    progress = np.arange(t.size) / t.size
    return np.where(progress >= 1 / 3, 40, 0) - np.where(progress >= 2 / 3, 30, 0)


GENERATORS = {
    "quiet": quiet, "normal": normal, "gamma": gamma, "pareto": pareto, "ramjee": ramjee,
    "sched": sched, "wifi": wifi, "step": step, "skew+": small_gamma, "skew-": small_gamma,
    "skew500": small_gamma, "pause": pause, "throttle": throttle, "route": route,
}
# Relative error of the source's clock.
SKEWS = {"skew+": 200e-6, "skew-": -200e-6, "skew500": 500e-6}


def generate(name, seed, frames=FRAMES, frame_ms=FRAME_MS, skew=None):
    """Returns an array with the columns media_ms, arrival_ms and reference_ms."""
    rng = np.random.Generator(np.random.PCG64([seed, sum(map(ord, name))]))
    media = np.arange(frames) * frame_ms
    captured = media * (1 + (SKEWS.get(name, 0) if skew is None else skew))
    if name == "pause":  # 5 s of silence in each 60 s
        keep = media % 60000 < 55000
        media, captured = media[keep], captured[keep]
    arrival = GENERATORS[name](rng, captured) + BASE_TRANSIT_MS
    reference = captured + BASE_TRANSIT_MS
    if name == "route":  # the longer route delays every frame
        reference = reference + route_base(captured)
    return np.column_stack([media, np.maximum.accumulate(arrival), reference])


def write(file, trace):
    file.write("media_ms,arrival_ms,reference_ms\n")
    file.writelines("%.4f,%.4f,%.4f\n" % tuple(row) for row in trace)


def main(arguments):
    if len(arguments) not in (2, 3) or arguments[0] not in GENERATORS:
        sys.exit(__doc__ + "\nnames: " + " ".join(GENERATORS))
    write(sys.stdout, generate(arguments[0], *map(int, arguments[1:])))


if __name__ == "__main__":
    main(sys.argv[1:])
