#!/usr/bin/env python3
"""Check what `taper export` makes of one run with each of its flags, with onnx and onnxruntime.

    python check_forms.py FOLDER REFERENCE.safetensors

FOLDER holds the files, each named after its flags. REFERENCE holds `images` f32 [1000, 1, 28, 28] in 0…1 and `logits`
f32 [1000, 10], what the trained model itself answers. What a file takes (bytes, float16) and answers (probabilities, the
class) is read from its own declarations. Every file goes through `onnx.checker` in full and strict shape inference, and
onnxruntime's answers have to be the model's: to 1e-4 in float32 and 1e-2 in float16, relative to the greatest number
where that is above 1; in int8 the class has to be the same for 97 % of the images. How fast int8 is beside float32 is
printed, and nothing more: a busy machine must not fail it. The exit code is 0 if all passed, 1 if not, 2 for wrong usage.
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from check_export import Report, read_reference

TOLERANCE, HALF_TOLERANCE = 1e-4, 1e-2
LEAST_AGREEMENT = 0.97
# Fewer files mean that the exports did not run.
LEAST = 10


def check_format(path: Path):
    """The checker in full, by path so that it finds external data, and strict inference."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    options = {"strict_mode": True, "check_type": True, "data_prop": True}
    onnx.shape_inference.infer_shapes(model, **options)
    return f"opset {model.opset_import[0].version}, {path.stat().st_size:,} bytes", model


def given(model, images: np.ndarray) -> np.ndarray:
    """The images as the file takes them."""
    tensor = model.graph.input[0].type.tensor_type
    kind = tensor.elem_type
    last = tensor.shape.dim[-1].dim_value
    if kind == TensorProto.UINT8:
        images = np.round(images * 255).astype(np.uint8)
    elif kind == TensorProto.FLOAT16:
        images = images.astype(np.float16)
    return images if last == images.shape[-1] else np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def wanted(model, logits: np.ndarray) -> np.ndarray:
    """What the file has to answer."""
    ops = {node.op_type for node in model.graph.node}
    if "ArgMax" in ops:
        return logits.argmax(axis=1)
    if "Softmax" in ops:
        powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return logits


def check_answers(path: Path, model, images: np.ndarray, logits: np.ndarray):
    """onnxruntime's answers on every image."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors.
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return judge(model, session.run(None, {session.get_inputs()[0].name: given(model, images)})[0], logits), None


def judge(model, found: np.ndarray, logits: np.ndarray) -> str:
    """What a runtime found, beside the trained model's logits."""
    expected = wanted(model, logits)
    assert found.shape == expected.shape, f"answers {list(found.shape)}, not {list(expected.shape)}"
    ops = {node.op_type for node in model.graph.node}
    kinds = {constant.data_type for constant in model.graph.initializer}
    if "DequantizeLinear" in ops:
        classes = found.argmax(axis=1) if found.ndim > 1 else found
        share = float((classes == logits.argmax(axis=1)).mean())
        assert share >= LEAST_AGREEMENT, f"the same class for {share:.1%} of the images only"
        return f"the same class for {share:.1%}"
    if "ArgMax" in ops:
        # Rounding decides between two that are nearly equal, and both may be off.
        margin = 2 * HALF_TOLERANCE * max(1.0, np.abs(logits).max()) if TensorProto.FLOAT16 in kinds else 0
        below = logits.max(axis=1) - logits[np.arange(len(found)), found]
        assert (below <= margin).all(), f"{int((below > margin).sum())} classes differ"
        return "the same classes"
    difference = np.abs(found.astype(np.float64) - expected)
    worst = np.where(np.isnan(difference), np.inf, difference).max() / max(1.0, np.abs(expected).max())
    tolerance = HALF_TOLERANCE if TensorProto.FLOAT16 in kinds else TOLERANCE
    assert worst <= tolerance, f"differs by {worst:.1e}, more than {tolerance:g}"
    return f"greatest difference {worst:.1e}"


def seconds(paths: list[Path], images: np.ndarray, rounds: int = 9) -> list[float]:
    """The least time that each file takes for the images, on one thread, the files in turn."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors.
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    sessions = [onnxruntime.InferenceSession(str(path), options, providers=providers) for path in paths]
    least = [float("inf")] * len(paths)
    for _ in range(rounds):
        for place, session in enumerate(sessions):
            start = time.perf_counter()
            session.run(None, {session.get_inputs()[0].name: images})
            least[place] = min(least[place], time.perf_counter() - start)
    return least


def speed(folder: Path, images: np.ndarray):
    """How fast int8 is beside float32, at 100 images."""
    paths = [folder / "--profile=portable.onnx", folder / "--int8.onnx"]
    float32, int8 = seconds(paths, images[:100])
    sizes = " instead of ".join(f"{path.stat().st_size:,}" for path in reversed(paths))
    return f"{float32 / int8:.2f} times as fast as float32 in onnxruntime, {sizes} bytes", None


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: check_forms.py FOLDER REFERENCE.safetensors", file=sys.stderr)
        return 2
    if sys.flags.optimize:
        print("check_forms.py is made of assertions: run it without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return 2
    folder, reference = map(Path, arguments)
    report = Report()
    known = report.check("reference", read_reference, reference)
    paths = sorted(folder.glob("*.onnx"))
    for path in paths:
        model = report.check(f"{path.stem}: format", check_format, path)
        if model is not None and known is not None:
            report.check(f"{path.stem}: onnxruntime", check_answers, path, model, *known)
    if known is not None and (folder / "--int8.onnx").exists():
        report.check("int8", speed, folder, known[0])
    if len(paths) < LEAST:
        report.failed.append("files")
        print(f"FAILED files: {len(paths)} in {folder}, {LEAST} at least", file=sys.stderr)
    print(f"{len(paths)} files; {len(report.passed)} passed, {len(report.failed)} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
