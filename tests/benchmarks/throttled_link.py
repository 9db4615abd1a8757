#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares three receivers of a throttled sender: jkvmadaptivequeue, the element queue, and a fixed
delay of 200 ms, each in front of opusdec plc=true and a synchronising sink.

There are four phases: idle; a CPU quota that the sender shares with a busy loop, so that both are
stopped for 60 of each 100 ms; stress-ng on all processors; idle. Twice a second the program samples
the delay of each receiver from capture to output, and the duration of the audio that was late:
concealed by the queue, or dropped by the sink. Prints a table, and plots the delays with --plot.
Requires root for the quota, and the plugins on GST_PLUGIN_PATH, which `./jkvm bench throttled-link`
provides.
"""

import argparse
import contextlib
import csv
import os
import pathlib
import subprocess
import tempfile
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402: require_version() must come first

INTERVAL = 0.5  # s
FRAME_MS = 20
QUOTA_US = 40_000
QUOTA_PERIOD_US = 100_000

RECEIVERS = {
    "jkvmadaptivequeue": "jkvmadaptivequeue",
    "queue": "queue",
    "fixed 200 ms": "jkvmadaptivequeue policy=fixed delay=200",
}


class Quota:
    """A control group (version 1 or 2) with a CPU quota."""

    def __init__(self, microseconds):
        """microseconds: CPU time of the whole group in each period of QUOTA_PERIOD_US."""
        root = pathlib.Path("/sys/fs/cgroup")
        is_v2 = (root / "cgroup.controllers").exists()
        self.group = (root if is_v2 else root / "cpu") / f"jkvm-bench-{os.getpid()}"
        self.group.mkdir()
        if is_v2:
            (self.group / "cpu.max").write_text(f"{microseconds} {QUOTA_PERIOD_US}")
        else:
            (self.group / "cpu.cfs_period_us").write_text(str(QUOTA_PERIOD_US))
            (self.group / "cpu.cfs_quota_us").write_text(str(microseconds))

    def add(self, pid):
        (self.group / "cgroup.procs").write_text(str(pid))

    def remove(self):
        """Moves the group's processes to the parent group and removes the group."""
        for pid in (self.group / "cgroup.procs").read_text().split():
            (self.group.parent / "cgroup.procs").write_text(pid)
        self.group.rmdir()


class Receiver:
    def __init__(self, path, queue):
        self.pipeline = Gst.parse_launch(
            f"jkvmipcsrc socket-path={path} ! {queue} name=queue ! opusdec plc=true ! "
            "fakesink name=sink sync=true qos=true max-lateness=5000000")
        self.queue = self.pipeline.get_by_name("queue")
        self.sink = self.pipeline.get_by_name("sink")
        self.pipeline.set_state(Gst.State.PLAYING)

    def follow_latency(self):
        """Recalculates the latency on request, as every application should."""
        while message := self.pipeline.get_bus().pop_filtered(Gst.MessageType.LATENCY):
            self.pipeline.recalculate_latency()

    def measure(self):
        """Returns the delay from capture to the sink's output and the audio lost so far (ms)."""
        self.follow_latency()
        query = Gst.Query.new_latency()
        self.sink.query(query)
        delay = query.parse_latency()[1] / 1e6
        lost = self.sink.props.stats.get_value("dropped") * FRAME_MS
        if hasattr(self.queue.props, "stats"):
            stats = self.queue.props.stats
            delay += stats.get_value("offset") / 1e6
            lost += stats.get_value("concealed") / 1e6
        return delay, lost

    def stop(self):
        self.pipeline.set_state(Gst.State.NULL)


def start_sender(directory):
    return subprocess.Popen(
        ["gst-launch-1.0", "-q", "jkvmaudiosrc", "buffer-time=2000000",
         f"device=jkvmtest:DIR={directory}", "!", "jkvmipcsink", f"socket-path={directory}/a.sock"])


def run(phase_s, samples):
    """Appends (seconds, receiver, delay, lost) to samples. Returns [(phase, start in seconds)]."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        sender = start_sender(directory)
        stack.callback(sender.wait)
        stack.callback(sender.kill)
        receivers = {name: Receiver(f"{directory}/a.sock", queue)
                     for name, queue in RECEIVERS.items()}
        for receiver in receivers.values():
            stack.callback(receiver.stop)
        start = time.monotonic()

        def follow(until):
            while (now := time.monotonic() - start) < until:
                for name, receiver in receivers.items():
                    samples.append((now, name, *receiver.measure()))
                time.sleep(INTERVAL)

        follow(phase_s)
        quota = Quota(QUOTA_US)
        with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as busy:
            try:
                quota.add(busy.pid)
                quota.add(sender.pid)
                follow(2 * phase_s)
            finally:
                busy.kill()
                busy.wait()
                quota.remove()
        with subprocess.Popen(["stress-ng", "--quiet", "--cpu", str(4 * os.cpu_count()),
                               "--timeout", f"{phase_s}s"]):
            follow(3 * phase_s)
        follow(4 * phase_s)
    return [("idle", 0), ("CPU quota", phase_s), ("stress-ng", 2 * phase_s), ("idle", 3 * phase_s)]


def print_table(samples, phases, phase_s):
    print("| phase | " + " | ".join(RECEIVERS) + " |")
    print("|---|" + "---|" * len(RECEIVERS))
    for phase, begin in phases:
        cells = []
        for name in RECEIVERS:
            rows = [s for s in samples if s[1] == name and begin <= s[0] < begin + phase_s]
            before = [s[3] for s in samples if s[1] == name and s[0] < begin]
            delay = sum(s[2] for s in rows) / len(rows)
            lost = rows[-1][3] - (before[-1] if before else 0)
            cells.append(f"{delay:.0f} ms, {lost:.0f} ms lost")
        print(f"| {phase} | " + " | ".join(cells) + " |")


def plot(samples, phases, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (delays, losses) = pyplot.subplots(2, 1, sharex=True, figsize=(10, 7))
    for name in RECEIVERS:
        rows = [s for s in samples if s[1] == name]
        delays.plot([s[0] for s in rows], [s[2] for s in rows], label=name)
        losses.plot([s[0] for s in rows], [s[3] for s in rows], label=name)
    for phase, begin in phases:
        for axes in (delays, losses):
            axes.axvline(begin, color="grey", linewidth=0.8, linestyle=":")
        delays.text(begin, 1.02, " " + phase, transform=delays.get_xaxis_transform())
    delays.set_ylabel("delay from capture to output (ms)")
    delays.set_ylim(bottom=0)
    delays.legend()
    losses.set_ylabel("late audio, cumulative (ms)")
    losses.set_xlabel("time (s)")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(prog="jkvm bench throttled-link",
                                     description=__doc__.split("\n\n")[0])
    parser.add_argument("--phase-s", type=int, default=30, help="duration of each phase (s)")
    parser.add_argument("--plot", type=pathlib.Path, help="write a plot to this PNG file")
    parser.add_argument("--csv", type=pathlib.Path, help="write all samples to this CSV file")
    options = parser.parse_args()
    Gst.init(None)
    samples = []
    phases = run(options.phase_s, samples)
    print_table(samples, phases, options.phase_s)
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["seconds", "receiver", "delay_ms", "lost_ms"])
            writer.writerows(samples)
    if options.plot:
        plot(samples, phases, options.plot)


if __name__ == "__main__":
    main()
