# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the hostile peer does, by the name of the behaviour."""
import random
import select
import time

from jkvm_messages import Failure

FLOODS = {"heartbeats-flood": "heartbeat", "unasked-acks": "ack"}  # then all goes on as usual
LAST_WORDS = ["half-header", "short-payload", "huge-length", "wrong-magic-midstream", "garbage"]
BEHAVIOURS = ["slow-bytes", "never-read", *FLOODS, *LAST_WORDS]


def last_words(behaviour, good, header_size, args):
    """The bytes that spoil the stream; `good` is a whole message."""
    if behaviour == "half-header":
        return good[:header_size // 2]
    if behaviour == "short-payload":  # the next message's first byte is taken for the missing one
        return good[:5] + bytes([good[5] + 1]) + good[6:] + 10 * good
    if behaviour == "huge-length":
        return good[:5] + b"\xff\xff\xff\xff" + good[9:header_size]
    if behaviour == "wrong-magic-midstream":
        return bytes([good[0] ^ 0x20]) + good[1:]
    return random.Random(1).randbytes(args.count)  # garbage


def await_close(sock, hold, is_reading):
    """Whether the peer closes within `hold` seconds. Nothing that comes is looked at."""
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
    """Whether the peer has closed then; it has to, after everything that it can notice."""
    args = connection.args
    name, payload = ("frame", args.payload) if args.send else ("ack", b"")
    good = connection.codec.encode(name, connection.now(), payload)
    connection.write(last_words(args.behaviour, good, connection.codec.dialect.header_size, args))
    is_closed = await_close(connection.sock, args.hold, is_reading=True)
    if not is_closed and args.behaviour != "half-header":
        raise Failure(f"still connected {args.hold} s after {args.behaviour}")
    return is_closed
