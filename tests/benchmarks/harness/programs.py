# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the benchmark programs, optionally while the machine is under load."""

import contextlib
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def program(name):
    """Returns the path of a benchmark program or library in the build directory."""
    build = os.environ.get("JKVM_BUILD", str(ROOT / "build/default"))
    return str(pathlib.Path(build) / "tests/benchmarks" / name)


def run(command, timeout=60):
    """Runs the command and returns the JSON object that it prints. Raises if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout, check=True)
    return json.loads(done.stdout)


def refresh_registry():
    """Updates GStreamer's registry, so that no plugins are scanned during a measurement."""
    subprocess.run(["gst-inspect-1.0", "--exists", "identity"], check=True)


@contextlib.contextmanager
def loaded_cores(is_loaded=True):
    """Keeps one process per core busy within the context."""
    if not is_loaded:
        yield
        return
    # The load has the default scheduling policy, whatever the policy of this process is.
    command = ["chrt", "--other", "0", "stress-ng", "--quiet", "--cpu", str(os.cpu_count())]
    with subprocess.Popen(command, start_new_session=True) as stress:
        try:
            yield
        finally:
            stress.terminate()
