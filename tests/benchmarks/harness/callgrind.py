# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the instructions of a program with valgrind's callgrind and attributes them to functions."""

import os
import pathlib
import re
import subprocess
import tempfile

# The line after "calls=" has the inclusive cost of these calls; other lines of numbers have the cost
# of the function itself. The first number is a position.
COST_LINE = re.compile(r"[+\-*\d]\S* (\d+)$")


class Profile:
    """A parsed output file of callgrind. A function is a tuple (object file, name)."""

    def __init__(self, lines):
        self.total = 0
        self.calls = {}  # (caller, callee) -> inclusive instructions
        where, function, callee_object, callee = "", "", None, None
        for line in lines:
            key, _, value = line.rstrip("\n").partition("=")
            if key == "ob":
                where = value
            elif key == "fn":
                function = value
            elif key == "cob":
                callee_object = value
            elif key == "cfn":
                callee = value
            elif callee is not None and (cost := COST_LINE.match(line)):
                arc = (where, function), (callee_object or where, callee)
                self.calls[arc] = self.calls.get(arc, 0) + int(cost[1])
                callee_object, callee = None, None
            elif cost := COST_LINE.match(line):
                self.total += int(cost[1])

    def entering(self, is_inside):
        """Returns the inclusive instructions of all calls from a function for which is_inside is
        false to one for which it is true."""
        return sum(cost for (caller, callee), cost in self.calls.items()
                   if is_inside(callee) and not is_inside(caller))


def profile(command, preload="", timeout=120):
    """Runs the command under callgrind and returns its Profile."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "out"
        # With symbols resolved at startup, the first call of a function costs as much as later ones.
        environment = {**os.environ, "LD_PRELOAD": preload, "LD_BIND_NOW": "1"}
        subprocess.run(["valgrind", "--tool=callgrind", "--compress-strings=no",
                        "--compress-pos=no", f"--callgrind-out-file={out}",
                        *(str(word) for word in command)], env=environment, timeout=timeout,
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        with out.open(encoding="utf-8", errors="replace") as lines:
            return Profile(lines)
