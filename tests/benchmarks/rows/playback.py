# SPDX-License-Identifier: LGPL-2.1-or-later
"""Playback on a device that drifts, is blocked, is replugged or is missing; and its cost."""

import concurrent.futures
import os
import pathlib
import subprocess
import tempfile

from harness import audio, callgrind, programs
from harness.row import JKVM, LIMIT, PEER, Figure, Goal, Row, Subject

JKVM_SINK = "jkvmaudiosink name=sink device={device} stats-interval=0"
RESAMPLE = "alsasink, resample"
SKEW = "alsasink, skew"
OVERHEAD = "beyond decoder and resampler"
BARE_SINK = "fakesink name=sink sync=true"  # waits for the clock like a sink, but does no work
STOCK = "opusdec ! audioconvert ! audioresample ! alsasink name=sink device={device}"

DRIFTS = (1000, -1000)  # ppm
SETTLE_S = 10           # until the playout error has settled
DRIFT_S = 14
QUICK_SETTLE_S, QUICK_DRIFT_S = 3, 5
QUICK_PEER_S = 0.5, 1.5  # the errors of the peers do not decrease
BLOCKED_S, QUICK_BLOCKED_S = 3, 0.5
SETTLE = 10             # packets; the device was started and its clock is known
SETTLE_QUEUES = 50      # packets; each slot of the sink's queue was used
SLOWDOWNS = (8, 32)     # of the time under valgrind; the second one if packets were late
QUICK_SLOWDOWNS = (4, 8)
ATTEMPTS = 3            # on a busy machine packets may be late
# Plugins of both chains.
PLUGINS = ("libgstjkvmaudio", "libgstalsa", "libgstaudioconvert", "libgstaudioresample", "libgstopus")


def stock_sink(method):
    return f"alsasink name=sink device={{device}} slave-method={method}"


def is_decoder(function):
    where, name = function
    return "libopus" in where and name.startswith(("opus_decode", "opus_multistream_decode"))


def is_resampler(function):
    _, name = function
    return name.startswith("gst_audio_resampler_")


def is_device(function):
    """Whether the function simulates the sound card or the kernel."""
    where, _ = function
    return "libasound_module_pcm_jkvmtest" in where or "libslow-time" in where


def count(command):
    """Returns the instructions of all pushes into the chain and of its threads: in total, of the
    decoder and of the resampler."""
    profile = callgrind.profile(command, preload=programs.program("libslow-time.so"))
    work = sum(cost for ((caller, _), (_, callee)), cost in profile.calls.items()
               if callee == "start_thread" or "sink-cost" in caller and callee == "gst_pad_push")
    return (work - profile.entering(is_device), profile.entering(is_decoder),
            profile.entering(is_resampler))


def sink_cost(chain, directory, settle, packets):
    device = f"jkvmtest:DIR={directory},FORMAT=S16_LE"
    return [programs.program("sink-cost"), settle, packets, chain.format(device=device)]


def count_two_runs(chain, packets):
    with tempfile.TemporaryDirectory() as short, tempfile.TemporaryDirectory() as long, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(count, (sink_cost(chain, short, SETTLE, 1),
                                     sink_cost(chain, long, SETTLE, 1 + packets))))


def count_instructions(chain, quick):
    packets = 10 if quick else 30
    slowdowns = QUICK_SLOWDOWNS if quick else SLOWDOWNS
    programs.refresh_registry()
    for slowdown in slowdowns:
        os.environ["SLOW_TIME"] = str(slowdown)
        try:
            counts = count_two_runs(chain, packets)
            break
        except subprocess.CalledProcessError:  # packets were late
            if slowdown == slowdowns[-1]:
                raise
    # The difference removes the costs that do not depend on the number of packets.
    total, decoder, resampler = ((b - a) / packets / 1000 for a, b in zip(*counts))
    return {"total": total, "decoder": decoder, "resampler": resampler,
            OVERHEAD: total - decoder - resampler}


def count_allocations(chain):
    """Returns the allocations of the chain's plugins per packet: own and caused."""
    packets = audio.FRAMES_PER_SECOND
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "allocations"
        # GLib's slice allocator would hide small allocations.
        command = ["env", f"LD_PRELOAD={programs.program('liballocation-count.so')}",
                   f"ALLOCATIONS={file}", "G_SLICE=always-malloc",
                   *sink_cost(chain, directory, SETTLE_QUEUES, packets)]
        for attempt in range(ATTEMPTS):
            try:
                programs.run(command)
                break
            except subprocess.CalledProcessError:  # packets were late
                if attempt + 1 == ATTEMPTS:
                    raise
        lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    counts = [(int(own), int(caused)) for name, own, caused in lines
              if name.removesuffix(".so") in PLUGINS]
    own, caused = (sum(column) / packets for column in zip(*counts))
    return {"allocations: own": own, "allocations: caused": caused}


def play(*arguments):
    return programs.run([programs.program("playback-bench"), *arguments])


def drift_figures(ppm, result):
    return {f"device {ppm:+} ppm: THD+N": result["thd_n_db"],
            f"device {ppm:+} ppm: jumps": result["jumps"],
            f"device {ppm:+} ppm: span of the playout error": result["span_ms"]}


def event_figures(event, result):
    """A chain that does not play afterwards has no figures."""
    return {f"{event}: first audio after": result["first_audio_ms"],
            f"{event}: its age beyond the latency": result["late_ms"]} if result else {}


def measure(subject, quick):
    sink, costly_chain = subject.how
    if subject.kind == LIMIT:
        return {OVERHEAD: count_instructions(costly_chain, quick)[OVERHEAD]}
    end, settle = (QUICK_DRIFT_S, QUICK_SETTLE_S) if quick else (DRIFT_S, SETTLE_S)
    if quick and subject.kind == PEER:
        settle, end = QUICK_PEER_S
    blocked_s = QUICK_BLOCKED_S if quick else BLOCKED_S
    values = {}
    # They play in real time and need little processor time.
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        events = {"blocked 3 s": pool.submit(play, "blocked", blocked_s, sink),
                  "replugged": pool.submit(play, "replug", sink),
                  "missing at start": pool.submit(play, "missing", sink)}
        if not quick or subject.kind == PEER:  # without a device, a peer may use a whole core
            concurrent.futures.wait(events.values())
        drifts = {ppm: pool.submit(play, "drift", ppm, end, settle, sink) for ppm in DRIFTS}
        allocations = pool.submit(count_allocations, costly_chain) if costly_chain else None
        for ppm, result in drifts.items():
            values |= drift_figures(ppm, result.result())
        for event, result in events.items():
            values |= event_figures(event, result.result())
        values |= allocations.result() if allocations else {}
    return values | (count_instructions(costly_chain, quick) if costly_chain else {})


def drift_rows(ppm):
    names = drift_figures(ppm, dict.fromkeys(("thd_n_db", "jumps", "span_ms")))
    units_and_bounds = (("dB", -85), ("", 0), ("ms", 0.5))
    return [Figure(name, unit, goals=(Goal(plus=bound),))
            for name, (unit, bound) in zip(names, units_and_bounds)]


def event_rows(event, first_ms):
    names = event_figures(event, dict.fromkeys(("first_audio_ms", "late_ms"), 0))
    return [Figure(name, "ms", goals=(Goal(plus=bound),))
            for name, bound in zip(names, (first_ms, 10))]


ROW = Row(
    title="playback of 20 ms packets: clocks, faults and cost",
    subjects=(Subject("jkvmaudiosink", JKVM, (JKVM_SINK, JKVM_SINK)),
              Subject(RESAMPLE, PEER, (stock_sink("resample"), None)),
              Subject(SKEW, PEER, (stock_sink("skew"), STOCK)),
              Subject("fakesink", LIMIT, (None, BARE_SINK))),
    figures=(*(figure for ppm in DRIFTS for figure in drift_rows(ppm)),
             *event_rows("blocked 3 s", 150), *event_rows("replugged", 500),
             *event_rows("missing at start", 500),
             Figure("allocations: own", "", goals=(Goal(plus=0),)),
             Figure("allocations: caused", "", goals=(Goal(plus=0),)),
             Figure("total", "thousand"), Figure("decoder", "thousand"),
             Figure("resampler", "thousand"),
             Figure(OVERHEAD, "thousand", goals=(Goal(0.5, SKEW),))),
    measure=measure, rounds=1, quick_rounds=1,
    notes=(f"Drift: a tone of 997 Hz on a 16 bit device, from {SETTLE_S} s to {DRIFT_S} s. A step by "
           "more than 10 µs is a jump. With --quick, the tone is measured from "
           f"{QUICK_SETTLE_S} s to {QUICK_DRIFT_S} s, before the estimated rate of the clock has settled "
           f"to the goal of THD+N, for the peers from {QUICK_PEER_S[0]} s to {QUICK_PEER_S[1]} s, and the "
           f"device is blocked for {QUICK_BLOCKED_S} s. Without a value: the chain did not play again. "
           "Instructions: opusdec ! audioconvert ! audioresample ! alsasink with its defaults, against "
           "jkvmaudiosink; none of the stock elements resamples.",))
