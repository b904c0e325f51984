"""Tests of targets.py."""

import io
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import targets

TABLE = """
| operator | settings |
| --- | --- |
| Abs |  |

| profile | float16 weights | float16 | uint8 input | softmax | argmax | int8 | external data | operators |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| `portable` | yes | no | no | yes | no | no | no | 20 of them |
| `onnxruntime` | yes | yes | yes | yes | yes | yes | yes | all |
| `opencv` | yes | yes | yes | yes | no | yes | yes | all |

| other | table |
"""


def compared(said: dict[tuple[str, str], str]) -> tuple[int, str]:
    """The wrong claims, and what is printed, where two runtimes answer rightly but for `said`."""

    def outcome(runtime: str, model: Path, _: Path) -> str:
        return said.get((runtime, model.stem), "")

    def is_here(module: str) -> bool:
        return module in ("onnxruntime", "cv2")

    out = io.StringIO()
    with (
        mock.patch.object(targets, "outcome", outcome),
        mock.patch("importlib.util.find_spec", is_here),
        redirect_stdout(out),
    ):
        wrong = targets.compare(Path("folder"), Path("reference"), targets.claims(TABLE))
    return wrong, out.getvalue()


class Claims(unittest.TestCase):
    def test_the_table_is_found_among_others(self):
        table = targets.claims(TABLE)
        self.assertEqual(list(table), ["portable", "onnxruntime", "opencv"])
        self.assertEqual([table["portable"]["softmax"], table["opencv"]["argmax"]], [True, False])

    def test_the_table_of_the_documentation_has_all_that_is_looked_at(self):
        table = targets.claims((targets.ROOT / "docs/export.md").read_text(encoding="utf-8"))
        for profile in targets.PROFILES:
            self.assertEqual(set(table[profile]), set(targets.FILES), profile)


class Compare(unittest.TestCase):
    def test_what_is_right_holds(self):
        wrong, text = compared({})
        self.assertEqual(wrong, 0)
        self.assertIn("opencv, argmax: right", text)
        self.assertIn("14 files in onnxruntime, opencv; 0 claims", text)

    def test_a_claim_that_does_not_hold_is_named(self):
        wrong, text = compared({("opencv", "--softmax"): "differs"})
        self.assertEqual(wrong, 1)
        self.assertIn("WRONG opencv, softmax: differs; portable and opencv should take it", text)

    def test_what_is_refused_may_fail(self):
        self.assertEqual(compared({("opencv", "--argmax"): "differs"})[0], 0)

    def test_nothing_to_try_proves_nothing(self):
        with mock.patch("importlib.util.find_spec", lambda _: None), redirect_stdout(io.StringIO()):
            self.assertEqual(targets.compare(Path("folder"), Path("reference"), targets.claims(TABLE)), 1)


class Outcome(unittest.TestCase):
    def test_what_ends_with_an_error_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            said = targets.outcome("onnxruntime", Path(folder) / "none.onnx", Path(folder) / "none")
        self.assertRegex(said, "none|No module")


if __name__ == "__main__":
    unittest.main()
