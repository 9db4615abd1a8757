# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways from one process to another that the program ipc-bench measures."""

from dataclasses import dataclass

from . import programs
from .row import LIMIT, OURS, PEER, Subject

LISTENERS = (1, 8)


@dataclass(frozen=True)
class Way:
    transport: str
    listeners: tuple[int, ...] = LISTENERS  # the numbers that it can have
    loads: tuple[bool, ...] = (False, True)  # with idle cores, with busy ones
    reads: int = 1    # of a bare socket, for each message
    slow_us: int = 0  # that each send is made slower


OUR_WAY = Subject("jkvmipc", OURS, Way("jkvm"))
PEERS = (Subject("shm", PEER, Way("shm")), Subject("tcp + gdp", PEER, Way("tcp")),
         Subject("fd + gdp", PEER, Way("fd", listeners=(1,))))
RAW_SOCKET = Subject("raw socket", LIMIT, Way("raw"))


def run(way, **options):
    """What ipc-bench measured; the options are its own, with underscores."""
    command = [programs.program("ipc-bench"), "--transport", way.transport,
               "--reads", way.reads, "--slow-us", way.slow_us]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), value]
    result = programs.run(command)
    if result["lost"]:
        raise RuntimeError(f"{result['lost']} messages were lost")
    return result
