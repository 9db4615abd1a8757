# SPDX-License-Identifier: LGPL-2.1-or-later
"""The transports between processes that the program ipc-bench measures."""

from dataclasses import dataclass

from . import programs
from .row import LIMIT, JKVM, PEER, Subject

LISTENERS = (1, 8)


@dataclass(frozen=True)
class Transport:
    name: str
    listeners: tuple[int, ...] = LISTENERS  # supported numbers of listeners
    loads: tuple[bool, ...] = (False, True)  # False: idle cores, True: busy cores
    reads: int = 1    # read() calls per message on the raw socket
    slow_us: int = 0  # artificial delay of each send (µs)


JKVM_TRANSPORT = Subject("jkvmipc", JKVM, Transport("jkvm"))
PEERS = (Subject("shm", PEER, Transport("shm")), Subject("tcp + gdp", PEER, Transport("tcp")),
         Subject("fd + gdp", PEER, Transport("fd", listeners=(1,))))
RAW_SOCKET = Subject("raw socket", LIMIT, Transport("raw"))


def count_of(listeners):
    """Returns "1 listener", "8 listeners" and so on."""
    return f"{listeners} listener{'' if listeners == 1 else 's'}"


def run(transport, **options):
    """Runs ipc-bench and returns its results. The options are those of the program, with
    underscores."""
    command = [programs.program("ipc-bench"), "--transport", transport.name,
               "--reads", transport.reads, "--slow-us", transport.slow_us]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), value]
    result = programs.run(command)
    if result["lost"]:
        raise RuntimeError(f"{result['lost']} messages were lost")
    return result
