"""The report says what was answered, and only an agreement passes: `python -m unittest` in this folder."""

import argparse
import contextlib
import io
import math
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

import compare
import report
from report import Outcome
from runtimes import HERE, RUNTIMES, Runtime, locked, pins, program, version

SOME = Runtime("Some Runtime", "some", "python", remark="a remark")
REQUIRED = Runtime("Required", "required", "python", required=True)
GOOD = {1: 1e-6, 7: 2e-6, 1000: 3e-6}


def outcome(runtime: Runtime = SOME, **changes: object) -> Outcome:
    """An outcome that passes."""
    known = {"version": "1.2", "loaded": True, "differences": dict(GOOD), "remarks": [runtime.remark]}
    return Outcome(runtime, **(known | changes))


class Report(unittest.TestCase):
    def test_a_row_holds_version_differences_and_remarks(self):
        self.assertEqual(
            report.row(outcome()), "| Some Runtime | 1.2 | yes | 1.0e-06 | 2.0e-06 | 3.0e-06 | a remark |\n"
        )
        single = Runtime("One", "one", "python", batched=False)
        found = report.row(outcome(single, differences={1: 1e-6}, remarks=[]))
        self.assertEqual(found, "| One | 1.2 | yes | 1.0e-06 | – | – | one image at a time: it has no batch |\n")

    def test_one_that_is_not_there_is_a_row_and_a_failure_only_if_it_is_required(self):
        missing = {"version": None, "missing": "no | such\nwheel", "loaded": False, "differences": {}}
        absent = outcome(**missing)
        self.assertEqual(report.row(absent), "| Some Runtime | – | not installed | – | – | – | no \\| such wheel |\n")
        self.assertIsNone(absent.failure())
        self.assertIn("not installed", outcome(REQUIRED, **missing).failure())

    def test_only_an_agreement_passes(self):
        self.assertIsNone(outcome().failure())
        self.assertIsNone(outcome(differences={1: report.TOLERANCE}).failure())
        bad = [
            ("refused", {"loaded": False, "differences": {}, "error": "no such op"}, "no such op"),
            ("silent", {"loaded": False}, "does not say"),
            ("crashed later", {"differences": {1: 0.0}, "error": "exit code -11"}, "exit code -11"),
            ("wrong at one size", {"differences": GOOD | {7: 2e-4}}, "differs by 2.0e-04"),
            ("not a number", {"differences": GOOD | {7: math.inf}}, "differs by inf"),
            ("no answers", {"differences": {}}, "differs by inf"),
        ]
        for what, changes, message in bad:
            with self.subTest(what):
                self.assertIn(message, outcome(**changes).failure() or "")
                self.assertIn(message, report.row(outcome(**changes)))
                self.assertIn("FAILED", report.line(outcome(**changes)))

    def test_the_whole_names_the_network_and_what_was_not_run(self):
        network = report.Network("`tutorial` on mnist", "`tutorial`, 5 parameters", 1000, "1x28x28")
        text = report.write([outcome(), outcome(REQUIRED)], network)
        for part in [
            "## `tutorial` on mnist\n\nThe network is `tutorial`, 5 parameters; 1,000 test images of 1x28x28.\n",
            "batch 1,000",
            "TensorRT",
        ]:
            self.assertIn(part, text)
        self.assertLess(text.index("| Some Runtime |"), text.index("| Required |"))
        self.assertEqual(text, report.write([outcome(), outcome(REQUIRED)], network))

    def test_a_table_is_appended_once(self):
        one, two = (report.Network(f"`{name}` on mnist", "a network", 9, "3x4x5") for name in ["one", "two"])
        first = report.write([outcome()], one)
        both = report.write([outcome(REQUIRED)], two, first)
        self.assertEqual(both.count("## Not run"), 1)
        self.assertLess(both.index("| Some Runtime |"), both.index("| Required |"))
        self.assertEqual(report.write([outcome(REQUIRED)], two, both), both)
        self.assertEqual(report.write([outcome(REQUIRED)], two, first.replace("Some Runtime", "Other")).count("| Other |"), 1)
        with self.assertRaises(SystemExit):
            report.write([outcome()], one, "another text")

    def test_what_is_left_out_is_a_row_and_no_failure(self):
        left_out = outcome(left_out="it knows | no other", loaded=False, differences={}, version=None, remarks=[])
        self.assertEqual(report.row(left_out), "| Some Runtime | – | left out | – | – | – | it knows \\| no other |\n")
        self.assertIsNone(left_out.failure())
        self.assertIn("left out", report.line(left_out))

    def test_lines_of_the_protocol_are_heard_among_noise(self):
        heard = Outcome(SOME)
        heard.hear("noise\nversion 3.1 beta\nloadedness\nloaded\n\nremark one  two\n")
        self.assertEqual((heard.version, heard.loaded, heard.remarks), ("3.1 beta", True, ["one  two"]))


class Comparison(unittest.TestCase):
    def test_a_difference_of_what_is_no_number_or_too_short_is_infinite(self):
        logits = np.array([[1, 2], [3, 4]], np.float32)
        self.assertEqual(compare.difference(logits.ravel(), logits), 0)
        self.assertEqual(compare.difference(np.array([1, 2, 3, 4.5], np.float32), logits), 0.5)
        self.assertEqual(compare.difference(np.array([1, np.nan, 3, 4], np.float32), logits), math.inf)
        self.assertEqual(compare.difference(np.array([1, 2, 3], np.float32), logits), math.inf)

    def answered(self, code: str, runtime: Runtime = SOME) -> Outcome:
        """The outcome of a runtime that runs `code` on `a`, its arguments; the logits are the images' sums."""
        images = np.arange(10 * 4, dtype=np.float32).reshape(10, 1, 2, 2)
        header = "import sys, numpy as np; a = sys.argv[1:]; "
        words = [sys.executable, "-c", header + code]
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(compare, "program", return_value=words):
            options = argparse.Namespace(work=Path(folder), run=Path(folder), answers=Path("none"), install=False)
            return compare.answer(runtime, options, images, images.sum(axis=(1, 2, 3))[:, None])

    def test_answers_are_read_from_the_files_that_the_program_leaves(self):
        right = "x = np.fromfile(a[1], np.float32).reshape(-1, 4).sum(1); print('loaded'); "
        right += "[x.tofile(f'{a[3]}/{b}.f32') for b in a[4:]]"
        good = self.answered(right)
        self.assertIsNone(good.failure())
        self.assertEqual(good.differences, {1: 0.0, 7: 0.0, 1000: 0.0})
        single = Runtime("One", "one", "python", batched=False)
        self.assertEqual(self.answered(right, single).differences, {1: 0.0})
        self.assertIn("differs by 1.0e+00", self.answered(right.replace(".sum(1)", ".sum(1) + 1")).failure())
        self.assertIn("no answers at batch 1000", self.answered(right.replace("a[4:]", "a[4:6]")).failure())

    def test_what_reads_the_reference_cnn_only_is_left_out_of_other_runs(self):
        known = {"model": {"name": "tutorial"}, "dataset": {}}
        images, logits = np.zeros((2, 1, 28, 28), np.float32), np.zeros((2, 10), np.float32)
        others = [({"model": {"name": "residual"}}, images, logits), ({"dataset": {"normalized_by": {"mean": [0.1]}}}, images, logits)]
        others += [({}, np.zeros((2, 3, 32, 32), np.float32), logits), ({}, images, logits[:, :3])]
        with mock.patch.object(compare, "metrics_of", return_value=known):
            self.assertTrue(compare.is_reference_cnn(Path(), images, logits))
        for changes, images, logits in others:
            with mock.patch.object(compare, "metrics_of", return_value=known | changes):
                self.assertFalse(compare.is_reference_cnn(Path(), images, logits))

    def test_what_a_program_says_when_it_fails_is_told(self):
        self.assertIn("exit code 1: no such op", self.answered("sys.exit('first\\nno such op')").failure())
        self.assertIn("exit code -9", self.answered("import os; os.kill(os.getpid(), 9)").failure())
        with mock.patch.object(compare, "TIMEOUT", 0.2):
            self.assertIn("not done after", self.answered("import time; time.sleep(60)").failure())

    def test_a_package_that_is_not_there_is_installed_only_if_asked(self):
        wanting = Runtime("Wanting", "wanting", "python", packages=("no-such-package-as-this",))
        called = []
        with (
            mock.patch.object(compare, "pins", return_value={"no-such-package-as-this": "1"}),
            mock.patch.object(compare, "call", side_effect=lambda *words: (called.append(words), ("no wheel", ""))[1]),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            for wish, reason in [(False, "the Python given has not"), (True, "no wheel")]:
                options = argparse.Namespace(work=Path(), install=wish)
                self.assertIn(reason, compare.install(wanting, options))
        self.assertEqual(len(called), 1)
        self.assertIn("no-such-package-as-this", called[0][0])

    def test_a_program_that_cannot_be_started_is_an_error(self):
        self.assertIn("cannot run /no/such", compare.call(["/no/such"], Path())[0])


class Runtimes(unittest.TestCase):
    def test_what_is_installed_is_pinned_and_what_is_pinned_is_installed(self):
        packages = {package for runtime in RUNTIMES for package in runtime.packages}
        self.assertEqual(packages, set(pins(HERE / "requirements.txt")))

    def test_versions_come_from_lock_files(self):
        for runtime in RUNTIMES:
            self.assertEqual(version(runtime) is not None, bool(runtime.crate), runtime.name)
        self.assertIsNone(locked("no-such-crate", HERE / "Cargo.lock"))

    def test_every_runtime_has_a_program_and_a_name_of_its_own(self):
        self.assertEqual(len({runtime.call for runtime in RUNTIMES}), len(RUNTIMES))
        for runtime in RUNTIMES:
            self.assertTrue(program(runtime, Path("work"), Path("answers")))
        self.assertIn("tract-onnx", tomllib.loads((HERE / "Cargo.toml").read_text())["dependencies"])


if __name__ == "__main__":
    unittest.main()
