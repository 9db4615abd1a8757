# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the harness: measuring, goals, reports and the loading of rows."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import bench
from harness import report, runner
from harness.row import EVERY_PEER, HIGHER, LIMIT, JKVM, PEER, Figure, Goal, Row, Subject


def make_row(values, goals=(), better="lower", rounds=3, **options):
    """Returns a row and the list of its calls. values: subject name (jkvm, peer a, peer b, limit) ->
    one result per round; an exception among them is raised."""
    kinds = {"jkvm": JKVM, "peer a": PEER, "peer b": PEER, "limit": LIMIT}
    calls = []

    def measure(subject, quick):
        calls.append(subject.name)
        value = values[subject.name][calls.count(subject.name) - 1]
        if isinstance(value, Exception):
            raise value
        return value if isinstance(value, dict) else {"delay": value}

    row = Row("a title", tuple(Subject(name, kinds[name]) for name in values),
              (Figure("delay", "µs", better, tuple(goals)),), measure, rounds=rounds,
              quick_rounds=1, **options)
    return row, calls


def run(values, goals=(), better="lower", **options):
    row, _ = make_row(values, goals, better, **options)
    return runner.run_row("name", row, quick=False)


class Measuring(unittest.TestCase):
    def test_rounds_are_interleaved(self):
        row, calls = make_row({"jkvm": [1, 2], "limit": [1, 2]}, rounds=2)
        runner.run_row("name", row, quick=False)
        self.assertEqual(calls, ["jkvm", "limit", "jkvm", "limit"])

    def test_quick_run_has_the_quick_rounds(self):
        row, calls = make_row({"jkvm": [1, 2, 3]})
        runner.run_row("name", row, quick=True)
        self.assertEqual(calls, ["jkvm"])

    def test_median_and_spread_are_those_of_the_rounds(self):
        result = run({"jkvm": [9, 1, 2]})
        summary = result.summary(result.row.figures[0], result.row.jkvm)
        self.assertEqual((summary.median, summary.minimum, summary.maximum), (2, 1, 9))

    def test_failed_subject_is_not_measured_again(self):
        row, calls = make_row({"jkvm": [1, 1, 1], "peer a": [RuntimeError("it broke")]})
        result = runner.run_row("name", row, quick=False)
        self.assertEqual(calls, ["jkvm", "peer a", "jkvm", "jkvm"])
        self.assertEqual([r.error for r in result.errors], ["it broke"])

    def test_error_of_a_failed_program_has_its_last_output(self):
        failure = subprocess.CalledProcessError(3, ["/bin/x", "-v"], stderr="first\nno socket\n")
        self.assertEqual(run({"jkvm": [failure]}).errors[0].error,
                         "x exited with status 3: first / no socket")

    def test_undeclared_figure_is_an_error(self):
        result = run({"jkvm": [{"delya": 1}]})
        self.assertIn("delya", result.errors[0].error)

    def test_value_that_is_not_finite_is_an_error(self):
        self.assertIn("nan", run({"jkvm": [float("nan")]}).errors[0].error)


class Goals(unittest.TestCase):
    def verdict(self, values, goal, better="lower"):
        result = run({name: [value] * 3 for name, value in values.items()}, [goal], better)
        return result.verdicts(result.row.figures[0])[0]

    def test_bound_is_a_multiple_of_the_limit(self):
        self.assertTrue(self.verdict({"jkvm": 15, "limit": 10}, Goal(1.5, LIMIT)).reached)
        missed = self.verdict({"jkvm": 18, "limit": 10}, Goal(1.5, LIMIT))
        self.assertFalse(missed.reached)
        self.assertEqual(report.verdict(missed, "µs"),
                         "≤ 1.5 × limit: not reached, 1.20 × the bound of 15 µs")

    def test_bound_is_the_limit_plus_a_constant(self):
        goal = Goal(of=LIMIT, plus=2)
        self.assertTrue(self.verdict({"jkvm": 12, "limit": 10}, goal).reached)
        self.assertFalse(self.verdict({"jkvm": 12.1, "limit": 10}, goal).reached)

    def test_bound_is_a_constant(self):
        self.assertTrue(self.verdict({"jkvm": 0}, Goal(plus=0)).reached)
        self.assertFalse(self.verdict({"jkvm": 1}, Goal(plus=0)).reached)

    def test_bound_is_one_of_the_peers(self):
        values = {"jkvm": 15, "peer a": 10, "peer b": 100}
        self.assertTrue(self.verdict(values, Goal(1.5, "peer a")).reached)
        self.assertFalse(self.verdict(values, Goal(1.4, "peer a")).reached)

    def test_bound_of_every_peer_is_the_best_peer(self):
        values = {"jkvm": 15, "peer a": 10, "peer b": 20}
        self.assertFalse(self.verdict(values, Goal(of=EVERY_PEER)).reached)
        self.assertTrue(self.verdict(values | {"peer a": 16}, Goal(of=EVERY_PEER)).reached)

    def test_higher_may_be_better(self):
        values = {"jkvm": 15, "peer a": 10, "peer b": 20}
        self.assertFalse(self.verdict(values, Goal(of=EVERY_PEER), "higher").reached)
        self.assertTrue(self.verdict(values, Goal(0.7, EVERY_PEER), HIGHER).reached)
        self.assertTrue(self.verdict(values, Goal(plus=15), HIGHER).reached)
        self.assertFalse(self.verdict(values, Goal(plus=16), HIGHER).reached)

    def test_goal_without_comparison_is_not_reached(self):
        verdict = self.verdict({"jkvm": 1}, Goal(1.5, LIMIT))
        self.assertFalse(verdict.reached)
        self.assertIn("not comparable", report.verdict(verdict, "µs"))

    def test_subject_that_failed_once_is_not_compared_with(self):
        result = run({"jkvm": [1, 1, 1], "peer a": [5, 5, 5], "peer b": [5, RuntimeError("no")]},
                     goals=[Goal(of=EVERY_PEER), Goal(of="peer a")])
        first, second = result.verdicts(result.row.figures[0])
        self.assertIsNone(first.bound)
        self.assertFalse(first.reached)
        self.assertTrue(second.reached)

    def test_jkvm_that_failed_once_has_no_verdicts(self):
        result = run({"jkvm": [1, RuntimeError("no")], "limit": [5, 5, 5]}, goals=[Goal(of=LIMIT)])
        self.assertEqual(result.verdicts(result.row.figures[0]), [])


class Reports(unittest.TestCase):
    def run_bench(self, values, *arguments, goals=()):
        """Returns the exit code, the output and the JSON content."""
        row, _ = make_row(values, goals)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "result.json"
            with (mock.patch.object(bench, "load_row", lambda name: row),
                  mock.patch.object(bench, "row_names", lambda: ["a-row"]),
                  mock.patch.object(sys, "argv", ["bench", "--json", str(path), *arguments]),
                  contextlib.redirect_stdout(io.StringIO()) as output):
                code = bench.main()
            return code, output.getvalue(), json.loads(path.read_text(encoding="utf-8"))

    def test_json_has_the_machine_and_every_round(self):
        _, _, content = self.run_bench({"jkvm": [3, 1, 2], "limit": [1, 1, 1]})
        self.assertTrue(content["machine"]["kernel"])
        row = content["rows"][0]
        self.assertEqual([(r["number"], r["subject"], r["values"]) for r in row["rounds"]],
                         [(1, "jkvm", {"delay": 3}), (1, "limit", {"delay": 1}),
                          (2, "jkvm", {"delay": 1}), (2, "limit", {"delay": 1}),
                          (3, "jkvm", {"delay": 2}), (3, "limit", {"delay": 1})])
        self.assertEqual(row["figures"][0]["subjects"]["jkvm"],
                         {"median": 2, "minimum": 1, "maximum": 3})

    def test_missed_goal_is_reported_and_is_not_a_failure(self):
        code, output, content = self.run_bench({"jkvm": [3, 3, 3], "limit": [1, 1, 1]},
                                               goals=[Goal(2, LIMIT)])
        self.assertEqual(code, 0)
        self.assertIn("≤ 2 × limit: not reached", output)
        self.assertFalse(content["rows"][0]["figures"][0]["goals"][0]["reached"])

    def test_failed_measurement_is_reported_and_is_a_failure(self):
        code, output, content = self.run_bench({"jkvm": [3, 3, 3], "limit": [OSError("no room")]})
        self.assertEqual(code, 1)
        self.assertIn("Error: limit, round 1: no room", output)
        self.assertEqual(content["rows"][0]["rounds"][1]["error"], "no room")

    def test_unknown_row_is_rejected(self):
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as output:
            self.run_bench({"jkvm": [1, 1, 1]}, "nothing")
        self.assertIn("unknown row nothing", output.getvalue())

    def test_cell_shows_the_spread_if_there_is_one(self):
        self.assertEqual(report.cell(runner.Summary(1234.5, 1, 0.0123)), "1234 (1..0.0123)")
        self.assertEqual(report.cell(runner.Summary(2, 2, 2)), "2")
        self.assertEqual(report.cell(None), "–")


class Rows(unittest.TestCase):
    def test_every_row_can_be_loaded(self):
        for name in bench.row_names():
            with self.subTest(name):
                self.assertTrue(bench.load_row(name).title)

    def test_row_without_jkvm_is_rejected(self):
        with self.assertRaises(ValueError):
            make_row({"limit": [1]})


if __name__ == "__main__":
    unittest.main()
