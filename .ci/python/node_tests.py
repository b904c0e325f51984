#!/usr/bin/env python3
"""Run the ONNX project's backend tests on graphs that Taper's graph builder built anew.

    python node_tests.py TESTS OUT

TESTS is `onnx/backend/test/data/node` of the package `onnx`, OUT what the example `node_tests` of taper-export made of
it. A test applies if its operators are in Taper's table, its values are tensors of types that Taper knows, and it is
legal in one of the operator sets 12 to 22: what was written for a newer or older one is rebuilt in the nearest. Of a
test that applies, every rebuilt file has to pass `onnx.checker` in full with strict shape inference, and to give the
test's outputs in onnxruntime, within the tolerances of ONNX's own runner. Where onnxruntime does not run the original
file either, or computes something else from it, ONNX's reference evaluator runs the rebuilt one instead.

The last line on standard output counts; before it stands, in groups, why the other tests do not apply. Every failure is
one line on standard error. The exit code is 0 if all that apply pass, 1 if not, 2 for wrong usage.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

OLDEST, NEWEST = 12, 22
# Those of `onnx.backend.test`.
RTOL, ATOL = 1e-3, 1e-7
# Fewer that pass mean that the tests were not rebuilt.
LEAST = 1150
# What Taper's builder refuses on purpose, by the words it does so with.
ON_PURPOSE = {"it is in training mode": "training mode, which no exported model has"}
KNOWN_TYPES = set(range(1, 14)) | {16}

Arrays = list[np.ndarray]


def standard_set(model: ModelProto) -> int:
    """The version of the standard operator set."""
    return next((entry.version for entry in model.opset_import if entry.domain == ""), 0)


def value_types(model: ModelProto) -> list[int]:
    """The element types of all values, settings and casts; 0 for what is no tensor."""
    values = [*model.graph.input, *model.graph.output]
    found = [value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else 0 for value in values]
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype", "output_dtype"):
                found.append(attribute.i or TensorProto.FLOAT)
            if attribute.type == onnx.AttributeProto.TENSOR:
                found.append(attribute.t.data_type)
    return found


def in_set(model: ModelProto, version: int) -> ModelProto:
    """A copy that states another operator set."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for entry in copy.opset_import:
        if entry.domain == "":
            entry.version = version
    return copy


def is_legal(model: ModelProto, version: int) -> bool:
    """Whether the operators, settings and types of inputs are those of the operator set `version`."""
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    for node in model.graph.node:
        if not onnx.defs.has(node.op_type):
            return False
        try:
            schema = onnx.defs.get_schema(node.op_type, version, "")
        except onnx.defs.SchemaError:
            return False
        if standard_set(model) < schema.since_version:
            return False
        if any(attribute.name not in schema.attributes for attribute in node.attribute):
            return False
        for place, name in enumerate(node.input):
            if place >= schema.max_input:
                return False
            formal = schema.inputs[min(place, len(schema.inputs) - 1)]
            kind = TensorProto.DataType.Name(kinds[name]).lower() if name in kinds else None
            if kind and f"tensor({kind})" not in formal.types:
                return False
    return True


def why_not(model: ModelProto, operators: set[str]) -> tuple[str, str] | None:
    """Why a test does not apply: the kind of reason, and what it is about; None if it applies."""
    others = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if others:
        return "operators of another domain", others[0]
    missing = sorted({node.op_type for node in model.graph.node} - operators)
    if missing:
        return "an operator that is not in the table", missing[0]
    types = value_types(model)
    if 0 in types:
        return "values that are no tensors", model.graph.node[0].op_type
    rare = sorted(set(types) - KNOWN_TYPES)
    if rare:
        return "an element type that Taper does not know", TensorProto.DataType.Name(rare[0]).lower()
    version = standard_set(model)
    nearest = min(max(version, OLDEST), NEWEST)
    if version != nearest and not is_legal(model, nearest):
        return f"not legal in an operator set from {OLDEST} to {NEWEST}", f"{model.graph.node[0].op_type} of {version}"
    return None


def load_arrays(folder: Path, kind: str) -> list:
    """`input_0.pb`, `input_1.pb`, … as arrays."""
    arrays = []
    while (path := folder / f"{kind}_{len(arrays)}.pb").exists():
        arrays.append(numpy_helper.to_array(TensorProto.FromString(path.read_bytes())))
    return arrays


def compare(found: Arrays, expected: Arrays) -> None:
    """As ONNX's own runner does."""
    assert len(found) == len(expected), f"{len(found)} outputs, not {len(expected)}"
    for place, (answer, wanted) in enumerate(zip(found, expected, strict=True)):
        answer = np.asarray(answer)
        assert answer.shape == wanted.shape, f"output {place} has shape {answer.shape}, not {wanted.shape}"
        if wanted.dtype == object or wanted.dtype.kind in "USOT":
            assert answer.tolist() == wanted.tolist(), f"output {place} differs"
            continue
        assert answer.dtype == wanted.dtype, f"output {place} is {answer.dtype}, not {wanted.dtype}"
        if wanted.dtype.kind == "V" or wanted.dtype.name == "bfloat16":
            answer, wanted = answer.astype(np.float32), wanted.astype(np.float32)
        np.testing.assert_allclose(answer, wanted, rtol=RTOL, atol=ATOL, err_msg=f"output {place}")


def check_declared(model: ModelProto, expected: Arrays) -> None:
    """The sizes that Taper inferred are those of the outputs, as far as they are numbers."""
    for value, wanted in zip(model.graph.output, expected, strict=True):
        dims = value.type.tensor_type.shape.dim
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
        fits = len(sizes) == wanted.ndim and all(a in (None, b) for a, b in zip(sizes, wanted.shape, strict=True))
        assert fits, f"`{value.name}` is declared {sizes}, but is {list(wanted.shape)}"


def in_onnxruntime(model: ModelProto, feeds: dict[str, np.ndarray]) -> Arrays:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # Fatal: what fails is told as an exception.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def in_reference(model: ModelProto, feeds: dict[str, np.ndarray]) -> Arrays:
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(model).run(None, feeds)


Runtime = Callable[[ModelProto, dict[str, np.ndarray]], Arrays]


def agrees(runtime: Runtime, model: ModelProto, folder: Path, names: list[str]) -> None:
    """Every set of inputs gives its outputs; those that are constants in `model` are not given."""
    taken = {value.name for value in model.graph.input}
    sets = sorted(folder.glob("test_data_set_*"))
    assert sets, "it has no data"
    # The constants are those of the first.
    for place in sets if taken == set(names) else sets[:1]:
        inputs = zip(names, load_arrays(place, "input"), strict=True)
        feeds = {name: array for name, array in inputs if name in taken}
        expected = load_arrays(place, "output")
        compare(runtime(model, feeds), expected)
        check_declared(model, expected)


def check_format(model: ModelProto) -> None:
    """The checker in full, and shapes that are inferred rather than believed."""
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def is_well_formed(model: ModelProto) -> bool:
    try:
        check_format(model)
    except Exception:  # noqa: BLE001 - whatever it says
        return False
    return True


def check_test(folder: Path, original: ModelProto, rebuilt: list[ModelProto]) -> bool:
    """Whether onnxruntime runs it, and not the reference evaluator; an assertion or another exception if it fails."""
    names = [value.name for value in original.graph.input]
    for model in rebuilt:
        try:
            check_format(model)
        except Exception:
            # The definition that onnx has of an operator may itself be at fault: then it refuses the original too.
            if is_well_formed(original):
                raise
            onnx.checker.check_model(model)
    try:
        for model in rebuilt:
            agrees(in_onnxruntime, model, folder, names)
        return True
    except Exception as error:  # noqa: BLE001 - it may be onnxruntime's fault
        failure = error
    try:
        agrees(in_onnxruntime, original, folder, names)
    except Exception:  # noqa: BLE001 - it is
        for model in rebuilt:
            agrees(in_reference, model, folder, names)
        return False
    raise failure


class Count:
    """What came of the tests so far."""

    def __init__(self) -> None:
        self.passed, self.elsewhere, self.moved, self.failed = 0, 0, 0, 0
        self.others: dict[str, Counter[str]] = {}

    def leave_out(self, kind: str, what: str) -> None:
        self.others.setdefault(kind, Counter())[what] += 1

    def fail(self, name: str, error: object) -> None:
        self.failed += 1
        print(f"FAILED {name}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)

    def report(self) -> None:
        left_out = sorted(self.others.items(), key=lambda entry: -entry[1].total())
        for kind, what in left_out:
            listed = ", ".join(f"{name} {count}" for name, count in what.most_common())
            print(f"{what.total()} do not apply: {kind}: {listed}")
        applies = self.passed + self.failed
        print(
            f"{self.passed} of {applies} node tests pass, {self.passed - self.elsewhere} in onnxruntime and "
            f"{self.elsewhere} in ONNX's reference evaluator; {self.moved} of them were written for other operator "
            f"sets than {OLDEST} to {NEWEST}"
        )


def check_one(count: Count, folder: Path, out: Path, operators: set[str], refused: str | None) -> None:
    """Adds one test to the count."""
    original = onnx.load(folder / "model.onnx")
    reason = why_not(original, operators)
    if reason:
        count.leave_out(*reason)
        return
    purpose = [why for words, why in ON_PURPOSE.items() if refused and words in refused]
    if purpose:
        count.leave_out("refused on purpose", purpose[0])
        return
    if refused:
        count.fail(folder.name, f"refused: {refused}")
        return
    paths = [path for form in ("given", "known") if (path := out / form / f"{folder.name}.onnx").exists()]
    try:
        assert paths, "it was not rebuilt"
        count.elsewhere += not check_test(folder, original, [onnx.load(path) for path in paths])
        count.passed += 1
        count.moved += not OLDEST <= standard_set(original) <= NEWEST
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with a test is its failure
        count.fail(folder.name, error)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: node_tests.py TESTS OUT", file=sys.stderr)
        return 2
    if sys.flags.optimize:
        print("node_tests.py is made of assertions: run it without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return 2
    tests, out = map(Path, arguments)
    results = json.loads((out / "results.json").read_text())
    count = Count()
    for folder in sorted(path.parent for path in tests.glob("*/model.onnx")):
        check_one(count, folder, out, set(results["operators"]), results["tests"].get(folder.name))
    if count.passed < LEAST:
        count.fail("the whole", f"only {count.passed} pass, of {LEAST} at least; rebuild them first")
    count.report()
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
