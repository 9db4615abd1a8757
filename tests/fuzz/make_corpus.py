#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the seeds of the fuzz targets to corpus/, based on docs/protocol.md: all messages of every
direction and dialect, and one file for each kind of violation. Inputs found by a fuzzer are stored
in files of their own there, which this program does not touch."""
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "process" / "peers"))
import jkvm_messages as messages  # noqa: E402

NOW = 1767323045678901234  # 2026-01-02, in ns
DIALECTS = ["auto", "v1", "v2", "v3"]  # the index is the number in the settings
# Codes of piece lengths, decoded by stream_input.h.
BYTE, SIXTEEN, ALL = 0, 15, 31
# Actions after a piece, defined in session_receiver.cpp and session_sender.cpp.
REQUEST_ENCODER, RESTART, ANOTHER_PEER, INTERRUPT, STEP_CLOCK = range(1, 6)
SEND_FRAME, SEND_LONGEST_FRAMES, SAY_CONFIG, TOGGLE_READING, FLUSH = range(1, 6)

CONFIG = messages.config_payload([48000, 2, 960])
OPUS_CONFIG = messages.opus_config_payload([48000, 2, 960, 64000, 5, 1, -1000, 1105, 0])
PACKETS = {
    "celt": bytes.fromhex("fcfffe"),
    "silk-two-frames": bytes.fromhex("4900ff"),
    "hybrid": bytes.fromhex("7c0102"),
    "many-frames": messages.numbered_packet(1),
    "code-3-cut-short": bytes.fromhex("ff"),
    "too-long": bytes.fromhex("1b3f"),
}


def head(direction, dialect, steps=(ALL, ALL, ALL, ALL), listening=None, sender=False):
    """Returns the five bytes that determine how the stream is read."""
    if listening is None:  # the roles of JetKVM's processes
        listening = sender == (direction == "output")
    settings = (direction == "microphone") | DIALECTS.index(dialect) << 1
    return bytes([settings | listening << 3 | sender << 4, *steps])


def step(length, action=0):
    return length | action << 5


def every_message(codec):
    payloads = {"frame": PACKETS["celt"], "config": CONFIG, "opus-config": OPUS_CONFIG}
    return b"".join(codec.encode(name, NOW + 20000000 * i, payloads.get(name, b""))
                    for i, name in enumerate(codec.dialect.names))


def header(codec, length, type_number=0):
    """Returns a header that announces a payload of `length` bytes."""
    header_size = codec.dialect.header_size
    data = codec.encode_type(type_number, NOW)
    return data[:5] + struct.pack("<I", length) + data[9:header_size]


def broken(codec, other):
    """Yields streams that each violate one rule after a valid message."""
    frame = codec.encode("frame", NOW, PACKETS["celt"])
    limit = codec.dialect.max_payload
    yield "half-a-header", frame + frame[:codec.dialect.header_size // 2]
    yield "short-by-one", frame + frame[:-1]
    yield "length-of-all-ones", frame + header(codec, 0xFFFFFFFF)
    yield "length-beyond-limit", frame + header(codec, limit + 1) + bytes(limit + 1)
    yield "wrong-magic-in-mid-stream", frame + other.encode("frame", NOW, PACKETS["celt"]) + frame
    yield "first-length-of-all-ones", header(codec, 0xFFFFFFFF)
    yield "first-message-alone", frame
    yield "unknown-type", frame + codec.encode_type(200, NOW, bytes(9)) + frame
    yield "config-short-by-one", frame + codec.encode("config", NOW, CONFIG[:-1]) + frame
    yield "config-of-zeros", codec.encode("config", NOW, bytes(12)) + frame
    yield "heartbeat-with-payload", frame + codec.encode("heartbeat", NOW, b"x") + frame
    yield "empty-frame", codec.encode("frame", NOW) + frame
    if codec.has_timestamp:
        for name, time in [("0", 0), ("maximum", 2**63 - 1), ("minimum", -2**63), ("future", 2 * NOW)]:
            yield f"timestamp-{name}", codec.encode("frame", time, PACKETS["celt"]) + frame
    if "opus-config" in codec.dialect.names:
        yield "opus-config-of-ones", codec.encode("opus-config", NOW, b"\xff" * 36) + frame


def read_by_receiver(direction, name, codec):
    stream = every_message(codec)
    acts = [step(SIXTEEN, REQUEST_ENCODER), step(SIXTEEN), step(ALL, INTERRUPT),
            step(ALL, STEP_CLOCK)]
    for suffix, dialect in [("", name), ("-recognised", "auto")]:
        yield f"every-message{suffix}", head(direction, dialect) + stream
        yield f"byte-by-byte{suffix}", head(direction, dialect, [BYTE] * 4) + stream
        yield f"receiver-acts{suffix}", head(direction, dialect, acts) + stream
    yield "restart", head(direction, name, [step(ALL, RESTART), step(ALL)] * 2) + stream
    yield "another-peer", head(direction, name, [step(SIXTEEN, ANOTHER_PEER)] * 4) + stream
    for listening in (False, True):
        role = "listens" if listening else "connects"
        yield role, head(direction, name, listening=listening) + stream

    yield "packets", head(direction, name) + b"".join(
        codec.encode("frame", NOW, packet) for packet in PACKETS.values())
    # Two of these frames do not fit into the parser's buffer together.
    large = codec.encode("frame", NOW, b"\xfc" + bytes(codec.dialect.max_payload - 1))
    yield "longest-frames", head(direction, name, [10, ALL, 23, ALL]) + large * 2
    if direction == "output" and name != "v2":
        yield "more-than-fits", head(direction, name, [10, 23] * 2) + large * (17000 // len(large))


def read_by_sender(direction, name, codec):
    stream = every_message(codec)
    acts = [step(SIXTEEN, SAY_CONFIG), step(SIXTEEN, SEND_FRAME), step(ALL), step(ALL, FLUSH)]
    slow = [step(BYTE, TOGGLE_READING), step(BYTE, SEND_LONGEST_FRAMES), step(BYTE, SEND_FRAME),
            step(SIXTEEN, SAY_CONFIG)]
    heartbeat = codec.encode("heartbeat", NOW)
    with_payload = codec.encode("heartbeat", NOW, b"x")
    whole = head(direction, name, sender=True)
    yield "every-message", head(direction, name, acts, sender=True) + stream
    yield "slow-peer", head(direction, name, slow, sender=True) + stream
    yield "heartbeats", whole + heartbeat * 20
    yield "heartbeat-with-payload", whole + with_payload + stream
    yield "wrong-magic", whole + stream + bytes(17)


def streams():
    for direction in messages.MAGIC:
        other = "output" if direction == "microphone" else "microphone"
        for name in messages.DIALECTS:
            codec = messages.Codec(direction, name)
            for what, data in read_by_receiver(direction, name, codec):
                yield f"{direction}-{name}-{what}", data
            for what, data in broken(codec, messages.Codec(other, name)):
                yield f"{direction}-{name}-{what}", head(direction, name) + data
            for what, data in read_by_sender(direction, name, codec):
                yield f"{direction}-{name}-sender-{what}", data


def uris():
    texts = {
        "default-path": "///",
        "path": "///tmp/a.sock",
        "abstract": "///@name",
        "escaped": "///tmp/two%20words%3F.sock",
        "no-utf-8": "///tmp/%ff%fe",
        "escaped-zero": "///a%00b",
        "every-property-of-both":
            "///tmp/a.sock?direction=microphone&mode=listen&dialect=v3&socket-buffer-size=65536"
            "&socket-mode=432&socket-group=audio&allowed-uids=%3C1000%2C33%3E",
        "source": "///a?heartbeat-interval=1000&dialect=auto",
        "sink": "///a?max-clients=3&client-policy=replace&max-queue-time=200",
        "host": "//host/tmp/a.sock",
        "user-and-port": "//me:secret@host:80/a",
        "fragment": "///a?mode=listen#part",
        "no-such-value": "///a?mode=sideways",
        "no-such-property": "///a?colour=red",
        "not-a-carried-property": "///a?stats=1",
        "property-without-value": "///a?mode",
        "empty-value": "///a?socket-group=",
        "twice": "///a?mode=listen&mode=connect",
        "number-out-of-range": "///a?socket-mode=9999",
        "number-of-32-bits": "///a?allowed-uids=4294967295",
        "open-array": "///a?allowed-uids=%3C1%2C",
        "array-of-text": "///a?allowed-uids=%3C%22a%22%3E",
        "quoted": "///a?socket-group=%22a%20b%22",
        "no-slash": "a.sock",
        "array-in-array": "///a?allowed-uids=%3C%3C1%3E%3E",
        "list-in-array": "///a?allowed-uids=%3C%7B1%7D%3E",
        "range-in-array": "///a?allowed-uids=%3C%5B1,2%5D%3E",
        "bad-escape": "///tmp/%ff%f/e//",
        "dots": "///a/../../b/./c",
    }
    for name, text in texts.items():
        for number, element in enumerate(["sink", "source"]):
            yield f"{element}-{name}", bytes([number]) + text.encode()
    paths = {
        "relative": b"a.sock",
        "with-a-colon": b"a:b/c",
        "abstract": b"@name",
        "file-like-an-abstract-one": b"/@name",
        "relative-behind-slashes": b"//@name//x",
        "with-every-byte": bytes(range(1, 256)),
    }
    for name, path in paths.items():
        yield f"path-{name}", bytes([2]) + path


def side_messages():
    numbers = struct.pack("<10I", 24000, 1, 960, 32000, 1, 1, 3001, 1104, 1, 10)
    state = b"".join([
        b"run".ljust(16, b"\0"), b"none".ljust(16, b"\0"), struct.pack("<I", 1),
        b"custom".ljust(16, b"\0"), struct.pack("<5I", 32000, 1, 40000, 1, 10),
        b"request".ljust(16, b"\0"), struct.pack("<I", 3)])
    for name, kind, fields in [("request", 1, numbers), ("state", 2, state)]:
        yield name, struct.pack("<2I", kind, 0x7FF) + fields
        yield f"{name}-partial", struct.pack("<2I", kind, 0x209) + fields
        yield f"{name}-short", struct.pack("<2I", kind, 0x7FF) + fields[:18]
        yield f"{name}-long", struct.pack("<2I", kind, 2**32 - 1) + fields + bytes(range(100))
        yield f"{name}-empty", struct.pack("<2I", kind, 0)
        yield f"{name}-of-ones", struct.pack("<2I", kind, 0x7FF) + b"\xff" * len(fields)
    yield "unknown-type", struct.pack("<2I", 3, 0x7FF) + numbers
    yield "half-a-header", b"\1\0\0"


def main():
    for folder, seeds in [("streams", streams()), ("uris", uris()),
                          ("side-messages", side_messages())]:
        (HERE / "corpus" / folder).mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (HERE / "corpus" / folder / name).write_bytes(data)


main()
