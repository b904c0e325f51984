"""The node tests pass what agrees and catch what does not: `python -m unittest` in this folder."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

import node_tests

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def model(op: str = "Neg", width: int = 3, opset: int = 17, kind: int = TensorProto.FLOAT, domain: str = "") -> ModelProto:
    """[2, 3] through one operator to [2, width]."""
    taken = helper.make_tensor_value_info("x", kind, [2, 3])
    made = helper.make_tensor_value_info("y", kind, [2, width])
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], domain=domain)], "test", [taken], [made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)], ir_version=8)


class NodeTests(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.tests, self.out = Path(place.name, "tests"), Path(place.name, "out")
        for form in ("given", "known"):
            (self.out / form).mkdir(parents=True)
        self.refused: dict[str, str | None] = {}

    def add(self, name: str, original: ModelProto, rebuilt: ModelProto | None, answer: np.ndarray = -X) -> None:
        data = self.tests / name / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(original, data.parent / "model.onnx")
        for kind, array in (("input", X), ("output", answer)):
            (data / f"{kind}_0.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())
        if rebuilt:
            onnx.save(rebuilt, self.out / "given" / f"{name}.onnx")
        self.refused[name] = None

    def check(self, least: int = 0) -> tuple[int, str]:
        """The exit code, and what is said."""
        results = {"tests": self.refused, "operators": {"Neg": {}, "Abs": {}}}
        (self.out / "results.json").write_text(json.dumps(results))
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
            mock.patch.object(node_tests, "LEAST", least),
        ):
            code = node_tests.main([str(self.tests), str(self.out)])
        return code, out.getvalue() + err.getvalue()

    def test_agreement_passes(self):
        self.add("good", model(), model())
        self.add("newer", model(opset=23), model(opset=22))
        constant = model()
        constant.graph.input.pop()
        constant.graph.initializer.append(numpy_helper.from_array(X, "x"))
        onnx.save(constant, self.out / "known" / "good.onnx")
        code, text = self.check(least=2)
        self.assertEqual(code, 0, text)
        self.assertIn("2 of 2 node tests pass, 2 in onnxruntime", text)
        self.assertIn("1 of them were written for other operator sets", text)

    def test_every_defect_is_caught(self):
        defects = [
            ("number", model(), model(), -X + 1e-2, "Mismatched elements"),
            ("operator", model(), model("Abs"), -X, "Mismatched elements"),
            ("shape", model(), model(), -X[:1], "has shape"),
            ("type", model(), model(), -X.astype(np.float64), "is float32, not float64"),
            ("declared", model(), model(width=4), -X, "FAILED declared"),
            ("unknown", model(), model("Negate"), -X, "Negate"),
            ("missing", model(), None, -X, "was not rebuilt"),
        ]
        for name, original, rebuilt, answer, words in defects:
            with self.subTest(name):
                self.setUp()
                self.add(name, original, rebuilt, answer)
                code, text = self.check()
                self.assertEqual(code, 1, text)
                self.assertIn(words, text)
                self.assertIn("0 of 1 node tests pass", text)

    def test_declared_sizes_are_those_of_the_outputs(self):
        node_tests.check_declared(model(), [X])
        for wrong in (model(width=4), model()):
            answer = X if wrong.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 4 else X[0]
            with self.assertRaisesRegex(AssertionError, "`y` is declared"):
                node_tests.check_declared(wrong, [answer])

    def test_a_refusal_fails_unless_it_is_meant(self):
        self.add("refused", model(), None)
        self.add("training", model(), None)
        self.refused = {"refused": "its window is too large", "training": "it is in training mode; export"}
        code, text = self.check()
        self.assertEqual(code, 1, text)
        self.assertIn("FAILED refused: refused: its window is too large", text)
        self.assertIn("1 do not apply: refused on purpose", text)
        self.assertIn("0 of 1 node tests pass", text)

    def test_what_does_not_apply_is_grouped(self):
        self.add("mish", model("Mish"), None)
        self.add("relu", model("Relu"), None)
        self.add("byte", model(kind=TensorProto.FLOAT8E5M2), None)
        self.add("domain", model(domain="com.example"), None)
        self.add("old", model(opset=5), None)
        code, text = self.check()
        self.assertEqual(code, 0, text)
        self.assertIn("2 do not apply: an operator that is not in the table: Mish 1, Relu 1", text)
        self.assertIn("an element type that Taper does not know: float8e5m2 1", text)
        self.assertIn("operators of another domain: com.example 1", text)
        self.assertIn("not legal in an operator set from 12 to 22: Neg of 5 1", text)
        self.assertIn("0 of 0 node tests pass", text)

    def test_too_few_fail(self):
        self.tests.mkdir()
        code, text = self.check(least=315)
        self.assertEqual(code, 1)
        self.assertIn("only 0 pass, of 315 at least", text)

    def test_wrong_usage(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(node_tests.main([]), 2)


if __name__ == "__main__":
    unittest.main()
