#!/usr/bin/env python3
"""Check the files that the tests of `taper-export` leave behind, with onnx and onnxruntime.

    python check_models.py FOLDER

FOLDER is what `TAPER_DUMP_DIR` named when the tests ran. Every file goes through `onnx.checker` in full and
strict shape inference. Of a model written in candle, NAME.safetensors lies beside NAME.onnx, with the
inputs `x0`, `x1`, … and candle's own outputs `y0`, …; where the model has dynamic sizes, with `small.x0`, …
and `small.y0`, … as well, and likewise `single.` and `large.`. onnxruntime's answers have to be of candle's types
and shapes, and its numbers candle's to 1e-4 (of float16 to 1e-2), relative to the greatest number where that is
above 1. Every failure is one line on standard error; the last line on standard output
counts. The exit code is 0 if all passed, 1 if not, 2 for wrong usage.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-4
# Numbers of float16 are 1e-3 apart, and errors add up.
TOLERANCE_HALF = 1e-2
SIZES = ("", "small.", "single.", "large.")
# Fewer files with answers mean that the tests did not run.
LEAST = 2400


def check_format(path: Path) -> None:
    """The checker in full, and shapes that are inferred rather than believed."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    options = {"strict_mode": True, "check_type": True, "data_prop": True}
    onnx.shape_inference.infer_shapes(model, **options)


def numbered(tensors: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    """`prefix0`, `prefix1`, … as far as they go."""
    found = []
    while (name := f"{prefix}{len(found)}") in tensors:
        found.append(tensors[name])
    return found


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The greatest difference, relative to the greatest number where that is above 1."""
    assert found.dtype == expected.dtype, f"type {found.dtype}, not {expected.dtype}"
    assert found.shape == expected.shape, f"shape {list(found.shape)}, not {list(expected.shape)}"
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    # Equal infinities do not differ.
    apart = np.where(found == expected, 0.0, np.abs(found - expected))
    finite = np.abs(expected[np.isfinite(expected)])
    # Written so that a NaN fails.
    worst = np.where(np.isnan(apart), np.inf, apart).max(initial=0.0)
    return float(worst / max(1.0, finite.max(initial=0.0)))


def check_answers(path: Path) -> float:
    """onnxruntime's answers at every size there is; the greatest difference, that of float16 aside."""
    tensors = load_file(path.with_suffix(".safetensors"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    worst = 0.0
    for size in SIZES:
        inputs, expected = numbered(tensors, f"{size}x"), numbered(tensors, f"{size}y")
        if not expected:
            assert size, "it has no expected outputs"
            continue
        found = session.run(None, dict(zip(names, inputs, strict=True)))
        for answer, wanted in zip(found, expected, strict=True):
            apart = difference(answer, wanted)
            is_half = answer.dtype == np.float16
            assert apart <= (TOLERANCE_HALF if is_half else TOLERANCE), f"onnxruntime differs by {apart:.1e}"
            worst = worst if is_half else max(worst, apart)
    return worst


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: check_models.py FOLDER", file=sys.stderr)
        return 2
    if sys.flags.optimize:
        print("check_models.py is made of assertions: run it without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return 2
    paths = sorted(Path(arguments[0]).glob("*.onnx"))
    failed, answered, worst = 0, 0, 0.0
    for path in paths:
        try:
            check_format(path)
            if path.with_suffix(".safetensors").exists():
                worst = max(worst, check_answers(path))
                answered += 1
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with a file is its failure
            failed += 1
            print(f"FAILED {path.stem}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    if answered < LEAST:
        failed += 1
        least = f"of {LEAST} at least; run the tests first"
        print(f"FAILED: only {answered} files agree, {least}", file=sys.stderr)
    counts = f"{len(paths)} files, {failed} failed; {answered} agree in onnxruntime"
    print(f"{counts}, greatest difference {worst:.1e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
