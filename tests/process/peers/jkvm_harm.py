# SPDX-License-Identifier: LGPL-2.1-or-later
"""Implements the behaviours of the hostile peer, by name."""
import random
import select
import time

from jkvm_messages import Failure

FLOODS = {"heartbeats-flood": "heartbeat", "unasked-acks": "ack"}  # the session continues normally
LAST_WORDS = ["half-header", "short-payload", "huge-length", "wrong-magic-midstream", "garbage"]
BEHAVIOURS = ["slow-bytes", "never-read", *FLOODS, *LAST_WORDS]


def last_words(behaviour, good, header_size, args):
    """Returns the bytes that violate the protocol; `good` is a complete message."""
    if behaviour == "half-header":
        return good[:header_size // 2]
    if behaviour == "short-payload":  # the next message's first byte completes the payload
        return good[:5] + bytes([good[5] + 1]) + good[6:] + 10 * good
    if behaviour == "huge-length":
        return good[:5] + b"\xff\xff\xff\xff" + good[9:header_size]
    if behaviour == "wrong-magic-midstream":
        return bytes([good[0] ^ 0x20]) + good[1:]
    return random.Random(1).randbytes(args.count)  # garbage


def await_close(sock, hold, is_reading):
    """Returns whether the peer closes within `hold` seconds; received data is ignored."""
    deadline = time.monotonic() + hold
    poll = select.poll()
    poll.register(sock, select.POLLIN if is_reading else 0)
    while (pause := deadline - time.monotonic()) > 0:
        for _, events in poll.poll(pause * 1000):
            try:
                if events & (select.POLLHUP | select.POLLERR) or not sock.recv(65536):
                    return True
            except ConnectionResetError:
                return True
    return False


def send_last_words(connection):
    """Returns whether the peer closed; it must after any violation that it can detect."""
    args = connection.args
    name, payload = ("frame", args.payload) if args.send else ("ack", b"")
    good = connection.codec.encode(name, connection.now(), payload)
    connection.write(last_words(args.behaviour, good, connection.codec.dialect.header_size, args))
    is_closed = await_close(connection.sock, args.hold, is_reading=True)
    if not is_closed and args.behaviour != "half-header":
        raise Failure(f"still connected {args.hold} s after {args.behaviour}")
    return is_closed
