"""The check of forms passes what agrees and catches what does not: `python -m unittest` in this folder."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

import check_forms

IMAGES = np.random.default_rng(0).integers(0, 256, (1000, 1, 28, 28)).astype(np.float32) / 255
WEIGHT = np.random.default_rng(1).standard_normal((784, 10)).astype(np.float32) / 28
LOGITS = IMAGES.reshape(1000, 784) @ WEIGHT


def write(path: Path, taken=TensorProto.FLOAT, head: str = "", scale: float = 1.0) -> None:
    """A network of one product, from `taken`, with `head` at the end."""
    dims = ["N", 1, 28, 28]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weight"], ["logits" if head else "y"]),
    ]
    if head:
        settings = {"keepdims": 0} if head == "ArgMax" else {}
        nodes.append(helper.make_node(head, ["logits"], ["y"], axis=1, **settings))
    kind = TensorProto.INT64 if head == "ArgMax" else TensorProto.FLOAT
    made = helper.make_tensor_value_info("y", kind, ["N"] if head == "ArgMax" else ["N", 10])
    byte = 255.0 if taken == TensorProto.UINT8 else 1.0
    constants = {"scale": np.array(scale / byte, np.float32), "weight": WEIGHT}
    constants = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    image = helper.make_tensor_value_info("image", taken, dims)
    graph = helper.make_graph(nodes, "form", [image], [made], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


class CheckForms(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        self.reference = self.folder / "reference.safetensors"
        save_file({"images": IMAGES, "logits": LOGITS}, self.reference)

    def check(self, least: int = 1) -> tuple[int, str]:
        """The exit code, and what is said."""
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
            mock.patch.object(check_forms, "LEAST", least),
        ):
            code = check_forms.main([str(self.folder), str(self.reference)])
        return code, out.getvalue() + err.getvalue()

    def test_every_form_that_agrees_passes(self):
        forms = {
            "plain": {},
            "bytes": {"taken": TensorProto.UINT8},
            "softmax": {"head": "Softmax"},
            "argmax": {"head": "ArgMax"},
        }
        for name, settings in forms.items():
            write(self.folder / f"{name}.onnx", **settings)
        code, text = self.check(len(forms))
        self.assertEqual(code, 0, text)
        self.assertIn("4 files; 9 passed, 0 failed", text)

    def test_every_defect_is_caught(self):
        for name, settings in {
            "plain": {"scale": 1.001},
            "bytes": {"taken": TensorProto.UINT8, "scale": 0.9},
            "argmax": {"head": "ArgMax", "scale": -1.0},
        }.items():
            with self.subTest(name):
                write(self.folder / "one.onnx", **settings)
                code, text = self.check()
                self.assertEqual(code, 1, text)
                self.assertIn("FAILED one: onnxruntime", text)

    def test_too_few_files_fail(self):
        write(self.folder / "one.onnx")
        code, text = self.check(2)
        self.assertEqual(code, 1)
        self.assertIn("1 in", text)


if __name__ == "__main__":
    unittest.main()
