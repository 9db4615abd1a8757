# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the structure of the tree, and that the check detects violations."""
import tempfile
import unittest
from pathlib import Path

import structure

ROOT = Path(__file__).resolve().parents[2]


class Tree(unittest.TestCase):
    def test_reads_the_sources(self):
        self.assertGreater(len(list(structure.sources(ROOT))), 100)
        types = structure.type_definitions((ROOT / "gst/core/base/result.h").read_text())
        self.assertIn((("jkvm",), "ErrorKind"), types)

    def test_includes_point_one_way(self):
        self.assertEqual([], structure.find_include_violations(ROOT))

    def test_type_names_are_unique(self):
        self.assertEqual([], structure.find_type_clashes(ROOT))


class PlantedViolation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.plant("gst/core/base/time.h", "namespace jkvm { class Time {}; }\n")
        self.plant("gst/core/wire/parser.h", '#include "core/base/time.h"\n')
        self.plant("gst/common/fields.h", '#include "core/wire/parser.h"\n')
        self.plant("gst/jkvmone/one.h", '#include "common/fields.h"\n')
        self.plant("ext/jkvmtwo/two.cpp", '#include "common/fields.h"\n#include "two.h"\n')
        self.plant("ext/jkvmtwo/two.h", "")

    def plant(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def assert_include_violation(self, path, text, expected):
        self.assertEqual([], structure.find_include_violations(self.root))
        self.plant(path, text)
        self.assertIn(expected, structure.find_include_violations(self.root))

    def test_finds_an_include_of_a_higher_floor(self):
        self.assert_include_violation(
            "gst/core/base/a.h", '#include "core/wire/parser.h"\n',
            "gst/core/base/a.h: core/base must not include core/wire (core/wire/parser.h)")

    def test_detects_a_cycle_on_one_floor(self):
        self.plant("gst/core/stats/a.h", '#include "core/wire/parser.h"\n')
        self.assert_include_violation(
            "gst/core/wire/b.h", '#include "core/stats/a.h"\n',
            "cycle: core/wire -> core/stats -> core/wire")

    def test_finds_common_in_the_core(self):
        self.assert_include_violation(
            "gst/core/wire/a.cpp", '#include "common/fields.h"\n',
            "gst/core/wire/a.cpp: core/wire must not include common (common/fields.h)")

    def test_finds_a_plugin_in_common(self):
        self.assert_include_violation(
            "gst/common/a.h", '#include "jkvmone/one.h"\n',
            "gst/common/a.h: common must not include jkvmone (jkvmone/one.h)")

    def test_finds_a_plugin_in_another_plugin(self):
        self.assert_include_violation(
            "ext/jkvmtwo/a.h", '#include "jkvmone/one.h"\n',
            "ext/jkvmtwo/a.h: jkvmtwo must not include jkvmone (jkvmone/one.h)")

    def test_finds_a_folder_without_a_floor(self):
        self.assert_include_violation(
            "gst/core/attic/a.h", "",
            "gst/core/attic/a.h: core/attic is not on a floor of tests/style/structure.py")

    def assert_clash(self, text, expected):
        self.assertEqual([], structure.find_type_clashes(self.root))
        self.plant("gst/jkvmone/one.h", text)
        self.assertEqual(expected, structure.find_type_clashes(self.root))

    def test_finds_a_type_that_is_defined_twice(self):
        self.assert_clash(
            "namespace jkvm { template <class T> struct [[nodiscard]] Time final : T {}; }",
            ["Time is defined in gst/core/base/time.h, gst/jkvmone/one.h"])

    def test_finds_an_anonymous_type_with_the_name_of_a_public_one(self):
        self.assert_clash(
            "namespace jkvm { namespace { enum class Time { now }; } }",
            ["Time is defined in gst/core/base/time.h, gst/jkvmone/one.h"])

    def test_finds_an_alias_with_the_name_of_a_type(self):
        self.assert_clash(
            "namespace jkvm { using Time = int; }",
            ["Time is defined in gst/core/base/time.h, gst/jkvmone/one.h"])

    def test_ignores_nested_types_and_declarations(self):
        self.assert_clash(
            'namespace jkvm { class Time; struct Outer { struct Time {}; };'
            ' void f() { struct Time {} t; } const char *text = "struct Time {"; }', [])


if __name__ == "__main__":
    unittest.main()
