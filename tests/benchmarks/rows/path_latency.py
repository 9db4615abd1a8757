# SPDX-License-Identifier: LGPL-2.1-or-later
"""Latency from capture to decoder output in another process."""

import array
import functools
import pathlib
import random
import tempfile
import wave

from harness import programs
from harness.row import LIMIT, JKVM, PEER, Figure, Goal, Row, Subject

FRAMES_MS = (20, 10, 5)
LOOK_AHEAD_MS = 6.5  # of the encoder, with the same settings in all subjects
ALLOWANCE_MS = 2.0
RATE = 48000
NOISE_S = 2


@functools.cache
def noise_directory():
    """Returns a temporary directory with noise.wav, which is removed when the process ends."""
    directory = tempfile.TemporaryDirectory(prefix="jkvm-bench-")
    noise = random.Random(1)
    samples = array.array("h")
    level = 0.0
    for _ in range(NOISE_S * RATE):
        level = 0.8 * level + noise.uniform(-3000, 3000)  # low-pass, which suits the codec
        samples.extend((int(level), int(level)))
    with wave.open(str(pathlib.Path(directory.name) / "noise.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return directory


def name_of(frame_ms, quantile):
    return f"{frame_ms} ms frames, {quantile}"


def measure(subject, quick):
    values = {}
    for frame_ms in FRAMES_MS:
        if subject.kind == LIMIT:
            result = {f"{quantile}_ms": frame_ms + LOOK_AHEAD_MS for quantile in ("p50", "p99")}
        else:
            result = programs.run(
                [programs.program("path-bench"), *subject.how, "--frame-ms", frame_ms,
                 "--audio", pathlib.Path(noise_directory().name) / "noise.wav",
                 "--seconds", 1.5 if quick else 3])
        values |= {name_of(frame_ms, q): result[f"{q}_ms"] for q in ("p50", "p99")}
    return values


ROW = Row(
    title="latency from the capture of a sample to the decoded sample in another process",
    subjects=(
        Subject("jkvm", JKVM, ("--path", "jkvm")),
        Subject("stock", PEER, ("--path", "stock")),
        Subject("stock, short periods", PEER,
                ("--path", "stock", "--alsasrc", "latency-time=2500")),
        Subject("frame + look-ahead", LIMIT)),
    figures=tuple(
        Figure(name_of(frame_ms, quantile), "ms",
               goals=(Goal(of=LIMIT, plus=ALLOWANCE_MS),) if quantile == "p99" else ())
        for frame_ms in FRAMES_MS for quantile in ("p50", "p99")),
    measure=measure, rounds=3, quick_rounds=1,
    notes=("stock: alsasrc ! audioconvert ! audioresample ! opusenc ! gdppay ! tcpserversink, "
           "tcpclientsrc ! gdpdepay ! opusdec. Short periods: alsasrc latency-time=2500.",))
