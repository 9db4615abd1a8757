#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""policy=weighted on a machine that is left alone, and on one with processors and memory in use.

First nothing is done. Then stress-ng takes as much memory as is wanted, and when it has it, all
processors. At the end of each phase it is written down what the policy saw and what it made of it.
Needs stress-ng, and the plugins on GST_PLUGIN_PATH; `./jkvm bench weighted-load` sees to that.
"""

import argparse
import contextlib
import os
import subprocess
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402: gi wants the version first

COLUMNS = {
    "processor, %": ("system_cpu_percent", 1),
    "memory, %": ("system_memory_percent", 1),
    "latency, ms": ("average_latency_ms", 1),
    "factor": ("factor", 1),
    "size, frames": ("size", 1),
    "delay, ms": ("current-delay", 1e-6),
}


def memory():
    """(total, in use) in MiB."""
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    total, available = (int(fields[name].split()[0]) // 1024
                        for name in ("MemTotal", "MemAvailable"))
    return total, total - available


def stress(stack, *arguments):
    """Runs stress-ng until the stack ends."""
    process = subprocess.Popen(["stress-ng", "--quiet", *arguments])
    stack.callback(process.wait)
    stack.callback(process.terminate)


def fill_memory(stack, percent):
    total, used = memory()
    wanted = total * percent // 100
    stress(stack, "--vm", "1", "--vm-bytes", f"{max(1, wanted - used)}m", "--vm-populate",
           "--vm-keep")
    while memory()[1] < 0.98 * wanted:
        time.sleep(0.5)


def run_phase(name, queue, seconds):
    time.sleep(seconds)
    stats = queue.props.stats
    values = [stats.get_value(field) * scale for field, scale in COLUMNS.values()]
    print(f"| {name} | " + " | ".join(f"{value:.4g}" for value in values) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="jkvm bench weighted-load",
                                     description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--phase-s", type=int, default=20, help="length of each phase")
    parser.add_argument("--memory-percent", type=int, default=80, help="to be in use under load")
    parser.add_argument("--set", default="", help="more properties of the queue, as gst-launch-1.0 "
                        "takes them")
    options = parser.parse_args()

    Gst.init(None)
    pipeline = Gst.parse_launch(
        "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! "
        f"opusenc ! jkvmadaptivequeue name=queue policy=weighted {options.set} ! fakesink")
    queue = pipeline.get_by_name("queue")
    pipeline.set_state(Gst.State.PLAYING)
    print("| machine | " + " | ".join(COLUMNS) + " |")
    print("|---|" + "---|" * len(COLUMNS))
    run_phase("left alone", queue, options.phase_s)
    with contextlib.ExitStack() as stack:
        fill_memory(stack, options.memory_percent)
        stress(stack, "--cpu", str(os.cpu_count()))
        run_phase("busy", queue, options.phase_s)
    run_phase("left alone again", queue, options.phase_s)
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
