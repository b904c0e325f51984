#!/usr/bin/env python3
"""Check a finished run's `model.onnx` and `model.safetensors` with tools that know nothing of Taper.

    python check_export.py RUN_DIR REFERENCE.safetensors

RUN_DIR is a run of the reference CNN. REFERENCE holds `images` f32 [1000, 1, 28, 28] and `logits` f32
[1000, 10], what the trained model itself answers. Every failed check is one line on standard error; the last
line on standard output counts them. The exit code is 0 if all passed, 1 if not, 2 for wrong usage.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import safe_open

import onnx_checks
import safetensors_checks

IMAGES = 1000


class Report:
    """Runs checks one by one; a failure does not keep the others from being made."""

    def __init__(self):
        self.passed: list[str] = []
        self.failed: list[str] = []

    def check(self, name: str, function: Callable, *arguments):
        """Call `function`: what it returns, after `name` and its note are printed; None if it raised."""
        try:
            note, value = function(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a check is that check's failure
            self.failed.append(name)
            print(f"FAILED {name}: {describe(error)}", file=sys.stderr, flush=True)
            return None
        self.passed.append(name)
        print(f"ok {name}" + (f": {note}" if note else ""), flush=True)
        return value


def describe(error: Exception) -> str:
    """The error in one line, with the place for those that no check raised on purpose."""
    text = " ".join(str(error).split())
    if isinstance(error, AssertionError | OSError):
        return text
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"


def read_reference(path: Path) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    """The images and what the trained model answers on them."""
    with safe_open(path, framework="numpy") as file:
        missing = {"images", "logits"} - set(file.keys())
        assert not missing, f"{path} lacks {sorted(missing)}"
        images, logits = file.get_tensor("images"), file.get_tensor("logits")
    for name, tensor, shape in [("images", images, (IMAGES, 1, 28, 28)), ("logits", logits, (IMAGES, 10))]:
        assert tensor.dtype == np.float32, f"`{name}` of {path} is {tensor.dtype}, not float32"
        assert tensor.shape == shape, f"`{name}` of {path} is {list(tensor.shape)}, not {list(shape)}"
        assert np.isfinite(tensor).all(), f"`{name}` of {path} has values that are not finite"
    distinct = len(np.unique(logits.argmax(axis=1)))
    assert distinct > 1, (
        f"{path}: the model answers the same class for all images, so agreement proves nothing"
    )
    return f"{IMAGES} images, {distinct} classes answered", (images, logits)


def run_checks(run: Path, reference: Path) -> Report:
    """Every check, in order."""
    report = Report()
    found = report.check("reference", read_reference, reference)
    onnx_props = onnx_checks.run(report, run / "model.onnx", found)
    header = safetensors_checks.run(report, run / "model.safetensors", found)
    if onnx_props is not None and header is not None:
        report.check("metadata agrees", same_metadata, onnx_props, header)
    return report


def same_metadata(props: dict, header: dict):
    """Both files describe the same training."""
    pairs = [
        ("class_names", props["class_names"], header["class_names"]),
        ("dataset", props["dataset"], header["dataset"]["name"]),
        ("dataset_sha256", props["dataset_sha256"], header["dataset"]["sha256"]),
        ("normalization", props["normalization"], header["normalization"]),
        ("accuracy", props["accuracy"], header["accuracy"]),
    ]
    for name, in_onnx, in_safetensors in pairs:
        assert in_onnx == in_safetensors, (
            f"{name} is {in_onnx!r} in the ONNX file, {in_safetensors!r} in safetensors"
        )
    return None, None


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: check_export.py RUN_DIR REFERENCE.safetensors", file=sys.stderr)
        return 2
    if sys.flags.optimize:
        print("check_export.py is made of assertions: run it without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return 2
    report = run_checks(*map(Path, arguments))
    print(f"{len(report.passed)} passed, {len(report.failed)} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
