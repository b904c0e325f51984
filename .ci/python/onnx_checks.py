"""Checks of `model.onnx`: the format's own checker, what runs everywhere, and what onnxruntime computes."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

OPSET, IR_VERSION = 17, 8
TOLERANCE = 1e-4
BATCHES = (1, 7, 1000)
# What every runtime tried loads: ONNX Runtime, OpenVINO, tract, rten, TVM, OpenCV, ncnn.
PORTABLE_OPS = {
    "Add", "AveragePool", "Concat", "Conv", "Div", "Erf", "Flatten", "Gemm", "GlobalAveragePool", "MaxPool",
    "Mul", "Relu", "Sigmoid", "Softmax", "Sub", "Tanh",
}  # fmt: skip
# Attributes whose defaults some runtime reads differently, so that they have to be written out.
EXPLICIT = {
    "Conv": {"kernel_shape", "pads", "strides"},
    "MaxPool": {"kernel_shape", "strides"},
    "AveragePool": {"kernel_shape", "strides", "pads", "count_include_pad"},
    "Flatten": {"axis"},
    "Gemm": {"transB"},
}
PROPS = (
    "accuracy",
    "class_names",
    "dataset",
    "dataset_sha256",
    "dataset_source",
    "normalization",
    "taper_version",
)


def run(report, path: Path, reference) -> dict | None:
    """All checks of the file; its metadata if that is well-formed."""
    model = report.check("onnx checker", checker, path)
    if model is None:
        # The checker refused it, but the rest may still say why.
        model = report.check("onnx loads", lambda: (None, onnx.load(path)))
    props = None
    if model is not None:
        report.check("onnx shape inference", shape_inference, model)
        report.check("onnx versions", versions, model)
        report.check("onnx input and output", interface, model)
        report.check("onnx portable ops", portable, model)
        report.check("onnx initialisers", initialisers, model)
        report.check("onnx intermediate shapes", intermediate_shapes, model)
        props = report.check("onnx metadata", metadata, model)
    if reference is not None:
        for batch in BATCHES:
            report.check(f"onnxruntime batch {batch}", agreement, path, reference, batch)
    return props


def checker(path: Path):
    """onnx.checker in full."""
    assert path.is_file(), f"there is no {path}; export the run first"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return f"{path.stat().st_size:,} bytes", model


def dims(value) -> list:
    """A value's sizes: numbers, symbols, or None where nothing is said."""
    sizes = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in sizes]


def shape_inference(model):
    """Strict inference, and again with the output's shape blanked: inferred, not merely believed."""
    options = {"strict_mode": True, "check_type": True, "data_prop": True}
    onnx.shape_inference.infer_shapes(model, **options)
    blank = onnx.ModelProto()
    blank.CopyFrom(model)
    for output in blank.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(blank, **options)
    for declared, found in zip(model.graph.output, inferred.graph.output, strict=True):
        assert dims(declared) == dims(found), (
            f"`{declared.name}` is declared {dims(declared)}, inferred {dims(found)}"
        )
    return f"output {dims(model.graph.output[0])}", None


def versions(model):
    """The opset and file version that every runtime knows, and no custom operators."""
    opsets = {(o.domain, o.version) for o in model.opset_import}
    assert opsets == {("", OPSET)}, f"operator sets {sorted(opsets)}, not only the standard one at {OPSET}"
    assert model.ir_version == IR_VERSION, f"IR version {model.ir_version}, not {IR_VERSION}"
    return f"opset {OPSET}, IR {IR_VERSION}, written by {model.producer_name} {model.producer_version}", None


def interface(model):
    """`image` float32 [N, 1, 28, 28] to `logits` float32 [N, 10], N a symbol."""
    graph = model.graph
    constants = {c.name for c in graph.initializer}
    both = zip(("image", "logits"), (graph.input, graph.output), ([1, 28, 28], [10]), strict=True)
    batches = []
    for name, values, sizes in both:
        names = [v.name for v in values]
        assert not constants & set(names), (
            f"initialisers are declared as inputs too: {sorted(constants & set(names))}"
        )
        assert names == [name], f"expected `{name}` alone, found {names}"
        kind = values[0].type.tensor_type.elem_type
        assert kind == TensorProto.FLOAT, f"`{name}` is {TensorProto.DataType.Name(kind)}, not FLOAT"
        found = dims(values[0])
        assert found[1:] == sizes, f"`{name}` is {found}, not [N, {', '.join(map(str, sizes))}]"
        assert isinstance(found[0], str), f"the batch of `{name}` is {found[0]}, not a symbol"
        batches.append(found[0])
    assert batches[0] == batches[1], (
        f"the batch is called `{batches[0]}` in the input, `{batches[1]}` in the output"
    )
    return f"image {dims(graph.input[0])}, logits {dims(graph.output[0])}", None


def portable(model):
    """Only ops, and only forms of them, that every runtime reads the same way."""
    wrong = []
    for node in model.graph.node:
        where = f"{node.op_type} `{node.name}`"
        if node.domain or node.op_type not in PORTABLE_OPS:
            wrong.append(f"{where} is not in the portable list")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if "auto_pad" in attributes:
            wrong.append(f"{where} has auto_pad; write pads")
        missing = EXPLICIT.get(node.op_type, set()) - set(attributes)
        if missing:
            wrong.append(f"{where} leaves out {', '.join(sorted(missing))}")
        if node.op_type == "Flatten" and attributes.get("axis") != 1:
            wrong.append(f"{where} has axis {attributes.get('axis')}, not 1")
        if node.op_type == "Gemm" and (
            attributes.get("transB") != 1 or len(node.input) != 3 or not node.input[2]
        ):
            wrong.append(f"{where} needs transB=1 and a third input")
    assert not wrong, "; ".join(wrong)
    return " ".join(node.op_type for node in model.graph.node), None


def initialisers(model):
    """Nothing that no node reads."""
    read = {name for node in model.graph.node for name in node.input}
    unused = sorted({c.name for c in model.graph.initializer} - read)
    assert not unused, f"no node reads {unused}; leave them out"
    return f"{len(model.graph.initializer)} initialisers", None


def intermediate_shapes(model):
    """tract refuses a symbolic batch in value_info."""
    symbolic = [v.name for v in model.graph.value_info if any(not isinstance(d, int) for d in dims(v))]
    assert not symbolic, f"value_info holds symbolic sizes for {symbolic}; leave these entries out"
    return None, None


def metadata(model):
    """Who can read what a value means: classes, normalisation, accuracy, data."""
    keys = [p.key for p in model.metadata_props]
    assert len(keys) == len(set(keys)), f"a key occurs twice: {keys}"
    assert keys == sorted(keys), f"keys are not sorted: {keys}"
    props = {p.key: p.value for p in model.metadata_props}
    missing = [key for key in PROPS if not props.get(key)]
    assert not missing, f"missing or empty: {', '.join(missing)}"
    for key, value in props.items():
        print(f"   {key} = {value}")
    digest = props["dataset_sha256"]
    assert len(digest) == 64 and set(digest) <= set("0123456789abcdef"), (
        f"dataset_sha256 is no SHA-256: {digest!r}"
    )
    props["class_names"] = json.loads(props["class_names"])
    props["normalization"] = json.loads(props["normalization"])
    props["accuracy"] = float(props["accuracy"])
    classes = props["class_names"]
    assert len(classes) == len(set(classes)) == 10, (
        f"class_names does not hold ten different names: {classes}"
    )
    assert 0.0 <= props["accuracy"] <= 1.0, f"accuracy {props['accuracy']} is not a fraction"
    return f"{len(props)} entries", props


def agreement(path: Path, reference, batch: int):
    """onnxruntime's logits on every reference image, `batch` at a time, against the trained model's."""
    images, expected = reference
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors: what it warns of has a check of its own.
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    found = [session.run(None, {name: images[i : i + batch]})[0] for i in range(0, len(images), batch)]
    return compare(np.concatenate(found), expected)


def compare(found: np.ndarray, expected: np.ndarray):
    """The greatest difference, which has to be within the tolerance."""
    assert found.shape == expected.shape, f"logits {list(found.shape)}, not {list(expected.shape)}"
    difference = np.abs(found.astype(np.float64) - expected)
    # Written so that a NaN fails.
    worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference).max(axis=1)))
    assert (difference <= TOLERANCE).all(), (
        f"logits of image {worst} differ by {difference[worst].max():.2e}, more than {TOLERANCE:g}: "
        f"{found[worst].tolist()} instead of {expected[worst].tolist()}"
    )
    return f"greatest difference {difference.max():.1e}", None
