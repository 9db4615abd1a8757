# SPDX-License-Identifier: LGPL-2.1-or-later
"""The measured programs of this directory, and what presses the machine meanwhile."""

import contextlib
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def program(name):
    """The path of one that meson builds here."""
    build = os.environ.get("JKVM_BUILD", str(ROOT / "build/default"))
    return str(pathlib.Path(build) / "tests/benchmarks" / name)


def run(command, timeout=60):
    """What it prints as JSON. Whatever goes wrong raises, with the last that it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout, check=True)
    return json.loads(done.stdout)


def refresh_registry():
    """Lets GStreamer look at plugins that have changed now, and not while a program is measured."""
    subprocess.run(["gst-inspect-1.0", "--exists", "identity"], check=True)


@contextlib.contextmanager
def loaded_cores(is_loaded=True):
    """One busy process for each core, as long as the context lasts."""
    if not is_loaded:
        yield
        return
    # Whatever priority this run has, the load has the usual one.
    command = ["chrt", "--other", "0", "stress-ng", "--quiet", "--cpu", str(os.cpu_count())]
    with subprocess.Popen(command, start_new_session=True) as stress:
        try:
            yield
        finally:
            stress.terminate()
