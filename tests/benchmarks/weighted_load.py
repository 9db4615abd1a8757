#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows the measurements and decisions of policy=weighted on an idle and on a busy machine.

The first phase runs on an idle machine. In the second one stress-ng allocates memory up to the given
percentage and then keeps all processors busy. The third one is idle again. Prints the policy's inputs
and its decision at the end of each phase. Requires stress-ng, and the plugins on GST_PLUGIN_PATH;
`./jkvm bench weighted-load` provides both.
"""

import argparse
import contextlib
import os
import subprocess
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402: require_version() must come first

COLUMNS = {
    "CPU, %": ("system_cpu_percent", 1),
    "memory, %": ("system_memory_percent", 1),
    "latency, ms": ("average_latency_ms", 1),
    "factor": ("factor", 1),
    "size, frames": ("size", 1),
    "delay, ms": ("current-delay", 1e-6),
}


def memory():
    """Returns (total, used) in MiB."""
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    total, available = (int(fields[name].split()[0]) // 1024
                        for name in ("MemTotal", "MemAvailable"))
    return total, total - available


def stress(stack, *arguments):
    """Runs stress-ng until the stack is closed."""
    process = subprocess.Popen(["stress-ng", "--quiet", *arguments])
    stack.callback(process.wait)
    stack.callback(process.terminate)


def fill_memory(stack, percent):
    total, used = memory()
    target = total * percent // 100
    stress(stack, "--vm", "1", "--vm-bytes", f"{max(1, target - used)}m", "--vm-populate",
           "--vm-keep")
    while memory()[1] < 0.98 * target:
        time.sleep(0.5)


def run_phase(name, queue, seconds):
    time.sleep(seconds)
    stats = queue.props.stats
    values = [stats.get_value(field) * scale for field, scale in COLUMNS.values()]
    print(f"| {name} | " + " | ".join(f"{value:.4g}" for value in values) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="jkvm bench weighted-load",
                                     description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--phase-s", type=int, default=20, help="duration of each phase (s)")
    parser.add_argument("--memory-percent", type=int, default=80,
                        help="memory usage in the busy phase (%%)")
    parser.add_argument("--set", default="",
                        help="further properties of the queue, in the syntax of gst-launch-1.0")
    options = parser.parse_args()

    Gst.init(None)
    pipeline = Gst.parse_launch(
        "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! "
        f"opusenc ! jkvmadaptivequeue name=queue policy=weighted {options.set} ! fakesink")
    queue = pipeline.get_by_name("queue")
    pipeline.set_state(Gst.State.PLAYING)
    print("| machine | " + " | ".join(COLUMNS) + " |")
    print("|---|" + "---|" * len(COLUMNS))
    run_phase("idle", queue, options.phase_s)
    with contextlib.ExitStack() as stack:
        fill_memory(stack, options.memory_percent)
        stress(stack, "--cpu", str(os.cpu_count()))
        run_phase("busy", queue, options.phase_s)
    run_phase("idle again", queue, options.phase_s)
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
