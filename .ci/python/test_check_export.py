"""The checks pass a good run and catch every planted defect: `python -m unittest` in this folder."""

import contextlib
import copy
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

import check_export
import safetensors_checks

CLASSES = [str(digit) for digit in range(10)]
DESCRIBED = {
    "accuracy": 0.9912,
    "class_names": CLASSES,
    "dataset": {"name": "synthetic", "sha256": "5a" * 32, "source": "synthetic:seed=0"},
    "graph": 'name = "tutorial"',
    "normalization": {"range": [0.0, 1.0]},
    "version": "0.1.0",
}
PROPS = {
    "accuracy": "0.9912",
    "class_names": json.dumps(CLASSES),
    "dataset": "synthetic",
    "dataset_sha256": "5a" * 32,
    "dataset_source": "synthetic:seed=0",
    "normalization": '{"range":[0.0,1.0]}',
    "taper_version": "0.1.0",
}


def make_tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    tensors = {}
    for name, shape in safetensors_checks.SHAPES.items():
        weight = safetensors_checks.SHAPES[name.rpartition(".")[0] + ".weight"]
        bound = (3.0 / np.prod(weight[1:])) ** 0.5
        tensors[name] = rng.uniform(-bound, bound, size=shape).astype(np.float32)
    return tensors


def make_model(tensors: dict[str, np.ndarray]) -> onnx.ModelProto:
    nodes, last = [], "image"
    for number, pool_pads in [(1, 0), (2, 0), (3, 1)]:
        layer = f"layer{number}"
        inputs = [last, f"{layer}.0.weight", f"{layer}.0.bias"]
        nodes += [
            helper.make_node("Conv", inputs, [f"{layer}.conv"], f"{layer}.conv",
                             kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1], dilations=[1, 1], group=1),
            helper.make_node("Relu", [f"{layer}.conv"], [f"{layer}.relu"], f"{layer}.relu"),
            helper.make_node("MaxPool", [f"{layer}.relu"], [f"{layer}.pool"], f"{layer}.pool",
                             kernel_shape=[2, 2], pads=[pool_pads] * 4, strides=[2, 2]),
        ]  # fmt: skip
        last = f"{layer}.pool"
    nodes += [
        helper.make_node("Flatten", [last], ["flat"], "flatten", axis=1),
        helper.make_node("Gemm", ["flat", "fc1.weight", "fc1.bias"], ["fc1"], "fc1", transB=1),
        helper.make_node("Relu", ["fc1"], ["fc1.relu"], "fc1.relu"),
        helper.make_node("Gemm", ["fc1.relu", "fc2.weight", "fc2.bias"], ["logits"], "fc2", transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])
    weights = [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    graph = helper.make_graph(nodes, "tutorial", [image], [logits], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, PROPS)
    return model


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.name == name)


def set_attribute(model: onnx.ModelProto, name: str, attribute: str, value) -> None:
    """Give a node's attribute another value; None removes it."""
    target = node(model, name)
    kept = [a for a in target.attribute if a.name != attribute]
    del target.attribute[:]
    target.attribute.extend(kept)
    if value is not None:
        target.attribute.append(helper.make_attribute(attribute, value))


def set_prop(model: onnx.ModelProto, key: str, value: str | None) -> None:
    props = {p.key: p.value for p in model.metadata_props} | {key: value}
    helper.set_model_props(model, {k: v for k, v in props.items() if v is not None})


def nudge(model: onnx.ModelProto, name: str, amount: float) -> None:
    weight = next(w for w in model.graph.initializer if w.name == name)
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) + np.float32(amount), name))


def declare_inner_shape(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("fc1", TensorProto.FLOAT, ["N", 625]))


def append_dropout(model: onnx.ModelProto) -> None:
    node(model, "fc2").input[0] = "dropped"
    model.graph.node.insert(-1, helper.make_node("Dropout", ["fc1.relu"], ["dropped"], "dropout"))
    model.graph.node.sort(key=lambda n: n.name == "fc2")


def fix_batch(model: onnx.ModelProto) -> None:
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def rename_batch_of_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "M"


def swap_layers(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "layer1.pool"


# What is planted, how, and which checks have to fail because of it (no others may).
RUNTIME = {"onnxruntime batch 1", "onnxruntime batch 7", "onnxruntime batch 1000"}
ONNX_DEFECTS = [
    ("a weight off by 1e-2", lambda m: nudge(m, "fc2.bias", 1e-2), RUNTIME),
    ("a weight that is NaN", lambda m: nudge(m, "fc2.bias", np.nan), RUNTIME),
    ("ceil mode for padding", lambda m: (set_attribute(m, "layer3.pool", "pads", [0] * 4),
                                         set_attribute(m, "layer3.pool", "ceil_mode", 1)), RUNTIME),
    ("no padding in a convolution", lambda m: set_attribute(m, "layer3.conv", "pads", None),
     {"onnx checker", "onnx shape inference", "onnx portable ops"} | RUNTIME),
    ("auto_pad", lambda m: (set_attribute(m, "layer2.conv", "pads", None),
                            set_attribute(m, "layer2.conv", "auto_pad", "SAME_UPPER")),
     {"onnx portable ops"}),
    ("no strides in a pool", lambda m: set_attribute(m, "layer1.pool", "strides", None),
     {"onnx checker", "onnx shape inference", "onnx portable ops"} | RUNTIME),
    ("a Dropout left in", append_dropout, {"onnx portable ops"}),
    ("Gemm without a bias", lambda m: node(m, "fc1").input.pop(),
     {"onnx portable ops", "onnx initialisers"} | RUNTIME),
    ("a fixed batch", fix_batch, {"onnx input and output", "onnxruntime batch 7", "onnxruntime batch 1000"}),
    ("another batch in the output", rename_batch_of_output,
     {"onnx shape inference", "onnx input and output"}),
    ("opset 18", lambda m: setattr(m.opset_import[0], "version", 18), {"onnx versions"}),
    ("IR 10", lambda m: setattr(m, "ir_version", 10), {"onnx versions"}),
    ("a symbolic inner shape", declare_inner_shape, {"onnx intermediate shapes"}),
    ("nodes out of order", swap_layers, {"onnx checker", "onnx shape inference"} | RUNTIME),
    ("no data hash", lambda m: set_prop(m, "dataset_sha256", None), {"onnx metadata"}),
    ("nine classes", lambda m: set_prop(m, "class_names", json.dumps(CLASSES[1:])), {"onnx metadata"}),
    ("accuracy in per cent", lambda m: set_prop(m, "accuracy", "99.12"), {"onnx metadata"}),
    ("other data in the two files", lambda m: set_prop(m, "dataset", "mnist"), {"metadata agrees"}),
]  # fmt: skip
TENSOR_DEFECTS = [
    ("a tensor too few", lambda t: t.pop("fc2.bias"), {"safetensors tensors"}),
    ("a tensor too many", lambda t: t.update(extra=np.zeros(1, np.float32)), {"safetensors tensors"}),
    ("a transposed weight", lambda t: t.update({"fc1.weight": t["fc1.weight"].T.copy()}),
     {"safetensors tensors"}),
    ("float64", lambda t: t.update({"fc1.bias": t["fc1.bias"].astype(np.float64)}), {"safetensors tensors"}),
    ("a kernel upside down", lambda t: t.update({"layer1.0.weight": t["layer1.0.weight"][:, :, ::-1].copy()}),
     {"numpy forward"}),
]  # fmt: skip
HEADER_DEFECTS = [
    ("no metadata", None, {"safetensors metadata"}),
    ("a second key", {"taper": json.dumps(DESCRIBED), "format": "pt"}, {"safetensors metadata"}),
    ("unsorted", {"taper": json.dumps(dict(reversed(DESCRIBED.items())))}, {"safetensors metadata"}),
    ("a timing", {"taper": json.dumps(DESCRIBED | {"zz": {"seconds": 3}})}, {"safetensors metadata"}),
    ("a local path", {"taper": json.dumps(DESCRIBED | {"dataset": {"name": "mnist", "sha256": "5a" * 32,
                                                                  "source": "/home/me/mnist"}})},
     {"safetensors metadata"}),
]  # fmt: skip


class CheckExport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tensors = make_tensors()
        rng = np.random.default_rng(1)
        # A real check takes 1,000 images; finding what is planted here takes fewer.
        count = 50
        cls.enterClassContext(mock.patch.object(check_export, "IMAGES", count))
        patches = (rng.uniform(size=(count, 1, 7, 7)) < 0.5).repeat(4, 2).repeat(4, 3)
        images = (rng.uniform(size=(count, 1, 28, 28)) * patches).astype(np.float32)
        # Random weights favour one class whatever the image; without its mean, all classes are answered.
        cls.tensors["fc2.bias"] -= safetensors_checks.forward(cls.tensors, images).mean(axis=0)
        cls.model = make_model(cls.tensors)
        logits = safetensors_checks.forward(cls.tensors, images)
        cls.reference = cls.folder / "reference.safetensors"
        save_file({"images": images, "logits": logits}, cls.reference)

    def failures(self, model=None, tensors=None, header=None) -> set[str]:
        """The names of the checks that fail on a run of these parts (each the good one unless given)."""
        onnx.save(model or self.model, self.folder / "model.onnx")
        header = {"taper": json.dumps(DESCRIBED)} if header is None else header
        save_file(tensors or self.tensors, self.folder / "model.safetensors", header)
        return self.run_checks().failed

    def run_checks(self) -> check_export.Report:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            report = check_export.run_checks(self.folder, self.reference)
        report.failed = set(report.failed)
        return report

    def test_a_good_run_passes(self):
        self.assertEqual(self.failures(), set())

    def test_defects_of_the_onnx_file_are_caught(self):
        for what, plant, expected in ONNX_DEFECTS:
            with self.subTest(what):
                model = copy.deepcopy(self.model)
                plant(model)
                self.assertEqual(self.failures(model=model), expected)

    def test_defects_of_the_weights_are_caught(self):
        for what, plant, expected in TENSOR_DEFECTS:
            with self.subTest(what):
                tensors = dict(self.tensors)
                plant(tensors)
                self.assertEqual(self.failures(tensors=tensors), expected)

    def test_defects_of_the_header_are_caught(self):
        for what, header, expected in HEADER_DEFECTS:
            with self.subTest(what):
                self.assertEqual(self.failures(header=header or {}), expected)

    def test_broken_and_missing_files_are_caught(self):
        self.assertEqual(self.failures(), set())
        for name, good in [("model.onnx", RUNTIME | {"onnx checker", "onnx loads"}),
                           ("model.safetensors", {"safetensors header", "safetensors tensors"})]:  # fmt: skip
            path = self.folder / name
            whole = path.read_bytes()
            with self.subTest(f"{name} cut short"):
                path.write_bytes(whole[: len(whole) // 2])
                self.assertTrue(self.run_checks().failed)
            with self.subTest(f"{name} missing"):
                path.unlink()
                self.assertEqual(self.run_checks().failed, good)
            path.write_bytes(whole)

    def test_a_reference_that_proves_nothing_is_refused(self):
        self.failures()
        good, bad = self.reference, self.folder / "bad.safetensors"
        constant = {"images": np.zeros((50, 1, 28, 28), np.float32), "logits": np.zeros((50, 10), np.float32)}
        save_file(constant, bad)
        self.reference = bad
        self.assertIn("reference", self.run_checks().failed)
        self.reference = good


if __name__ == "__main__":
    unittest.main()
