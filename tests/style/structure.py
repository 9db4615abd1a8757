# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the C++ sources as text and reports violations of docs/internals/structure.md.

Two rules: the include graph points one way, and no two types in namespace jkvm share a name.
"""
import re
from collections import defaultdict
from pathlib import Path

# The folders of gst/core. A folder may include those of its own floor and of the floors before it.
FLOORS = [
    ["base"],
    ["wire", "stats", "timing", "device", "supervise"],
    ["opus", "playback", "playout"],
    ["ipc/socket", "ipc/send", "ipc/receive", "optimizer"],
]
FLOOR_OF = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def sources(root):
    """Returns the C++ files of the core, of common and of the plugins."""
    for top in ("gst", "ext"):
        yield from sorted(p for p in (root / top).rglob("*") if p.suffix in (".h", ".cpp"))


def module_of(path, root):
    """Returns 'core/wire', 'common', or the plugin's folder, such as 'jkvmipc'."""
    parts = path.relative_to(root).parts[1:-1]
    return "/".join(parts) if parts[0] == "core" else parts[0]


def resolve_include(name, path, root):
    """Returns the included file of this tree, or None for a header of the system."""
    plugin = root / Path(*path.relative_to(root).parts[:2])
    for folder in (path.parent, plugin, root / "gst", root / "ext"):
        if (folder / name).is_file():
            return (folder / name).resolve()
    return None


def find_include_violations(root):
    """Returns one sentence for each include that points upwards or to another plugin, and for each
    cycle."""
    root = root.resolve()
    violations = []
    graph = defaultdict(set)
    for path in sources(root):
        module = module_of(path, root)
        where = path.relative_to(root)
        if module.startswith("core") and module[len("core/"):] not in FLOOR_OF:
            violations.append(f"{where}: {module} is not on a floor of tests/style/structure.py")
            continue
        for name in INCLUDE.findall(path.read_text()):
            included = resolve_include(name, path, root)
            if included is None:
                violations.append(f"{where}: {name} was not found")
                continue
            other = module_of(included, root)
            if other != module:
                graph[module].add(other)
                if not is_allowed(module, other):
                    violations.append(f"{where}: {module} must not include {other} ({name})")
    violations += [f"cycle: {' -> '.join(cycle)}" for cycle in find_cycles(graph)]
    return violations


def is_allowed(module, other):
    if module.startswith("core/"):
        return (other.startswith("core/") and
                FLOOR_OF.get(other[len("core/"):], len(FLOORS)) <= FLOOR_OF[module[len("core/"):]])
    if module == "common":
        return other.startswith("core/")
    return other == "common" or other.startswith("core/")


def find_cycles(graph):
    """Returns the path of each cycle that a depth-first walk finds."""
    cycles = []
    done = set()

    def walk(node, path):
        if node in path:
            cycles.append(path[path.index(node):] + [node])
        elif node not in done:
            for neighbour in sorted(graph.get(node, ())):
                walk(neighbour, path + [node])
            done.add(node)

    for node in sorted(graph):
        walk(node, [])
    return cycles


NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    r'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.DOTALL | re.MULTILINE)
TOKEN = re.compile(r"[A-Za-z_]\w*|::|[{}()<>;:=,\[\]]|\S")


def type_definitions(text):
    """Returns (namespace, name) of each class, struct, enum and alias at namespace scope.

    The namespace has the parts that have names; "" stands for an anonymous one.
    """
    # A digit separator is not a quote.
    text = NOISE.sub(" ", re.sub(r"(?<=\d)'(?=\d)", "", text))
    tokens = TOKEN.findall(text)
    scopes = []  # a tuple of names for each namespace, None for any other brace
    found = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        is_outside = None not in scopes
        if token == "template" and tokens[i + 1] == "<":
            i = skip_angles(tokens, i + 1)
            continue
        if token == "namespace" and is_outside:
            end = i + 1
            while tokens[end] not in ("{", ";", "="):
                end += 1
            if tokens[end] == "{":
                scopes.append(tuple(t for t in tokens[i + 1:end] if t not in ("::", "inline")) or ("",))
                i = end + 1
                continue
        elif token in ("class", "struct", "union", "enum") and is_outside:
            name = defined_name(tokens, i)
            if name:
                found.append((flatten(scopes), name))
        elif token == "using" and is_outside and tokens[i + 2] == "=":
            found.append((flatten(scopes), tokens[i + 1]))
        elif token == "{":
            scopes.append(None)
        elif token == "}" and scopes:
            scopes.pop()
        i += 1
    return found


def flatten(scopes):
    return tuple(name for scope in scopes for name in scope)


def skip_angles(tokens, i):
    depth = 0
    while True:
        depth += {"<": 1, ">": -1}.get(tokens[i], 0)
        i += 1
        if depth == 0:
            return i


def defined_name(tokens, i):
    """Returns the name that `class X final : public Y {` defines, or None for a declaration."""
    i += 1
    if tokens[i] in ("class", "struct"):
        i += 1
    while tokens[i] == "[":  # attributes
        while tokens[i] != "]":
            i += 1
        while tokens[i] == "]":
            i += 1
    name = tokens[i]
    i += 1
    if tokens[i] == "<":  # a specialisation defines no new name
        return None
    if tokens[i] == "final":
        i += 1
    return name if re.match(r"\w", name) and tokens[i] in ("{", ":") else None


def find_type_clashes(root):
    """Returns one sentence for each name of a type in namespace jkvm that is defined twice.

    A type of an anonymous namespace is private to its file, so two files may each have one of the
    same name; but it must not have the name of a type that others can see.
    """
    named = defaultdict(set)
    private = defaultdict(set)
    for path in sources(root):
        for namespace, name in type_definitions(path.read_text()):
            where = str(path.relative_to(root))
            if "" in namespace:
                private[name].add(where)
            elif namespace and namespace[0] == "jkvm":
                named[name].add(where)
    clashes = []
    for name, files in sorted(named.items()):
        everywhere = sorted(files | private[name])
        if len(everywhere) > 1:
            clashes.append(f"{name} is defined in {', '.join(everywhere)}")
    return clashes
