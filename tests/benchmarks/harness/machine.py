# SPDX-License-Identifier: LGPL-2.1-or-later
"""Describes the machine and the software versions for the head of a report."""

import ctypes
import os
import pathlib
import platform
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]


def library_version(library, function):
    try:
        call = getattr(ctypes.CDLL(library), function)
    except (OSError, AttributeError):
        return "not found"
    call.restype = ctypes.c_char_p
    return call().decode()


def processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def commit():
    try:
        git = ["git", "-C", str(ROOT)]
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True,
                              text=True, check=True).stdout.strip()
        changes = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"],
                                 capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + (" (modified)" if changes else "")


def describe():
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "jkvm": commit(),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "GStreamer": library_version("libgstreamer-1.0.so.0", "gst_version_string"),
        "libopus": library_version("libopus.so.0", "opus_get_version_string"),
        "ALSA": library_version("libasound.so.2", "snd_asoundlib_version"),
        "load at start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
