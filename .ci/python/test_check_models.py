"""The check of models passes what agrees and catches what does not: `python -m unittest` in this folder."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from onnx import TensorProto, helper
from safetensors.numpy import save_file

import check_models

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def write(folder: Path, name: str, answers: dict[str, np.ndarray], op: str = "Neg", width: int = 3) -> None:
    """A model that negates [N, 3], with inputs and what it should answer."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", width])
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], "node")], name, [taken], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    if answers:
        save_file(answers, folder / f"{name}.safetensors")


class CheckModels(unittest.TestCase):
    def check(self, least: int = 1) -> tuple[int, str]:
        """The exit code, and what is said."""
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
            mock.patch.object(check_models, "LEAST", least),
        ):
            code = check_models.main([str(self.folder)])
        return code, out.getvalue() + err.getvalue()

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)

    def test_agreement_at_all_sizes_passes(self):
        answers = {"x0": X, "y0": -X, "small.x0": X[:1].copy(), "small.y0": -X[:1]}
        write(self.folder, "good", answers | {"large.x0": np.vstack([X, X]), "large.y0": -np.vstack([X, X])})
        write(self.folder, "format", {})
        code, text = self.check()
        self.assertEqual(code, 0, text)
        self.assertIn("2 files, 0 failed; 1 agree", text)

    def test_every_defect_is_caught(self):
        nan = -X.copy()
        nan[0, 0] = np.nan
        defects = [
            ("number", {"x0": X, "y0": -X + 1e-3}, {}, "differs by"),
            ("small", {"x0": X, "y0": -X, "small.x0": -X, "small.y0": -X}, {}, "differs by"),
            ("large", {"x0": X, "y0": -X, "large.x0": -X, "large.y0": -X}, {}, "differs by"),
            ("type", {"x0": X, "y0": -X.astype(np.float64)}, {}, "type float32, not float64"),
            ("nan", {"x0": X, "y0": nan}, {}, "differs by"),
            ("shape", {"x0": X, "y0": -X[:1]}, {}, "shape [2, 3], not [1, 3]"),
            ("none", {"x0": X}, {}, "no expected outputs"),
            ("declared", {"x0": X, "y0": -X}, {"width": 4}, "FAILED declared"),
            ("unknown", {"x0": X, "y0": -X}, {"op": "Negate"}, "Negate"),
        ]
        for name, answers, changes, words in defects:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                self.folder = Path(folder)
                write(self.folder, name, answers, **changes)
                code, text = self.check(least=0)
                self.assertEqual(code, 1, text)
                self.assertIn(words, text)

    def test_an_empty_folder_fails(self):
        code, text = self.check(least=450)
        self.assertEqual(code, 1)
        self.assertIn("only 0 files agree", text)

    def test_wrong_usage(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(check_models.main([]), 2)


if __name__ == "__main__":
    unittest.main()
