# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many instructions it takes to capture and code a frame, and how many of them are not the
codec's."""

from harness import callgrind, sound
from harness.programs import program, refresh_registry
from harness.row import LIMIT, OURS, PEER, Figure, Goal, Row, Subject

SETTLE = 20
STOCK = "alsasrc, opusenc"
BEST = "the same at its best"


def is_codec(function):
    where, name = function
    return "libopus" in where and name.startswith(("opus_encode", "opus_multistream_encode"))


def is_device(function):
    """What stands for the sound card and the kernel."""
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
    with sound.stereo_device() as device:
        # What does not depend on the length of the run is the same in both.
        short = count(make_command(chain, device, SETTLE, 1))
        long = count(make_command(chain, device, SETTLE, 1 + frames))
    total, codec = ((b - a) / frames / 1000 for a, b in zip(short, long))
    return {"total": total, "codec": codec, "beyond the codec": total - codec}


ROW = Row(
    title="instructions to capture and code a stereo frame of 20 ms",
    subjects=(Subject("jkvmaudiosrc", OURS, (sound.play_chain, sound.OUR_CAPTURE)),
              Subject(STOCK, PEER, (sound.play_chain, sound.STOCK_CAPTURE)),
              Subject(BEST, PEER, (sound.play_chain, sound.BEST_STOCK_CAPTURE)),
              Subject("bare loop", LIMIT, (sound.bare_capture, None))),
    figures=(Figure("total", "thousand", goals=(Goal(1.03, LIMIT),)),
             Figure("codec", "thousand"),
             Figure("beyond the codec", "thousand", goals=(Goal(0.25, STOCK), Goal(0.25, BEST)))),
    measure=measure, rounds=1, quick_rounds=1)
