# SPDX-License-Identifier: LGPL-2.1-or-later
"""Instructions to capture and encode a frame, in total and without the codec."""

from harness import audio, callgrind
from harness.programs import program, refresh_registry
from harness.row import LIMIT, JKVM, PEER, Figure, Goal, Row, Subject

SETTLE = 20
STOCK = "alsasrc, opusenc"
BEST = "alsasrc, opusenc, tuned"


def is_codec(function):
    where, name = function
    return "libopus" in where and name.startswith(("opus_encode", "opus_multistream_encode"))


def is_device(function):
    """Whether the function simulates the sound card or the kernel."""
    where, _ = function
    return "libasound_module_pcm_jkvmtest" in where or "libvirtual-time" in where


def count(command):
    profile = callgrind.profile(command, preload=program("libvirtual-time.so"))
    total = profile.total - profile.entering(is_device)
    return total, profile.entering(is_codec)


def measure(subject, quick):
    frames = 150 if quick else 450  # three times the recording
    make_command, chain = subject.how
    refresh_registry()
    with audio.stereo_device() as device:
        # The difference removes the costs that do not depend on the number of frames.
        short = count(make_command(chain, device, SETTLE, 1))
        long = count(make_command(chain, device, SETTLE, 1 + frames))
    total, codec = ((b - a) / frames / 1000 for a, b in zip(short, long))
    return {"total": total, "codec": codec, "besides the codec": total - codec}


ROW = Row(
    title="instructions to capture and encode a stereo frame of 20 ms",
    subjects=(Subject("jkvmaudiosrc", JKVM, (audio.play_chain, audio.JKVM_CAPTURE)),
              Subject(STOCK, PEER, (audio.play_chain, audio.STOCK_CAPTURE)),
              Subject(BEST, PEER, (audio.play_chain, audio.BEST_STOCK_CAPTURE)),
              Subject("bare loop", LIMIT, (audio.bare_capture, None))),
    figures=(Figure("total", "thousand", goals=(Goal(1.03, LIMIT),)),
             Figure("codec", "thousand"),
             Figure("besides the codec", "thousand", goals=(Goal(0.25, STOCK), Goal(0.25, BEST)))),
    measure=measure, rounds=1, quick_rounds=1,
    notes=("Tuned: one period per frame, and no conversion.",))
