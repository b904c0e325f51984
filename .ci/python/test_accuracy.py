"""Tests of accuracy.py."""

import io
import contextlib
import json
import pathlib
import tempfile
import unittest
from unittest import mock

import accuracy


class Table(unittest.TestCase):
    def test_mean_and_spread(self):
        self.assertEqual(accuracy.mean_and_spread([99.0, 99.2, 99.4]), "99.20 ± 0.20")
        self.assertEqual(accuracy.mean_and_spread([99.0]), "99.00 ± 0.00")

    def test_every_run_is_trained_and_scored_once(self):
        called = []

        def run(taper, arguments):
            called.append(arguments[0])
            if arguments[0] == "train":
                folder = pathlib.Path(arguments[2])
                folder.mkdir(exist_ok=True)
                seed = int(arguments[arguments.index("--seed") + 1])
                train = {"validation_accuracy": 0.99, "seconds": 10.0 + seed, "threads": 2, "instruction_set": "avx2"}
                metrics = {"train": train, "taper_version": "1.2"}
                (folder / "metrics.json").write_text(json.dumps(metrics))
                return
            file = pathlib.Path(arguments[1]) / "metrics.json"
            metrics = json.loads(file.read_text())
            scores = {"test": {"accuracy": 0.98}, "test_shifted": {"accuracy": 0.985}}
            file.write_text(json.dumps(metrics | scores))

        with tempfile.TemporaryDirectory() as folder, mock.patch.object(accuracy, "run", run):
            out = pathlib.Path(folder) / "table.md"
            arguments = ["--data-dir", folder, "--work", folder, "--seeds", "3", "--rows", "best:5"]
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                with self.assertRaisesRegex(SystemExit, "best, 5 epochs: 98.00 %, and it should be 99.4 % or more"):
                    accuracy.main([*arguments, "--out", str(out)])
            text = out.read_text()
        row = "| `best` | 5 | 98.00 ± 0.00 | 98.00, 98.00 | 98.50 ± 0.00 | 99.00 ± 0.00 | 11.0 |"
        self.assertEqual(text.splitlines()[2], row)
        self.assertIn("over 3 seeds; seconds are the median. Taper 1.2, avx2, 2 threads.", text)
        self.assertEqual(called, ["train", "evaluate"] * 3)


if __name__ == "__main__":
    unittest.main()
