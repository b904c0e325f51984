#!/usr/bin/env python3
"""Compare Taper's table of operators with the definitions of the package `onnx`.

    python operator_table.py RESULTS.json

RESULTS.json is what the example `node_tests` of taper-export leaves. For every operator and every operator set from 12
to 22: the sets in which the definition changed, the least and the greatest number of inputs, the settings with their
types and whether they must be set, and the types of the first input. Every difference is one line on standard error;
the last line on standard output counts. The exit code is 0 without differences, 1 with some, 2 for wrong usage.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto
from onnx.defs import OpSchema

OLDEST, NEWEST = 12, 22
# The element types that Taper knows.
KNOWN_TYPES = {code for code in range(1, 17) if code not in (14, 15)}
# What Taper leaves out on purpose.
LEFT_OUT = {("Constant", "sparse_value")}
# Required by the table, since a graph without them means nothing, or not required where an older set does.
UNBOUNDED = 2**31 - 1


def schema_of(name: str, version: int) -> OpSchema:
    return onnx.defs.get_schema(name, version, "")


def settings_of(schema: OpSchema) -> dict[str, list]:
    return {
        name: [int(setting.type.value), setting.required]
        for name, setting in schema.attributes.items()
        if (schema.name, name) not in LEFT_OUT
    }


def types_of(schema: OpSchema) -> set[int]:
    """The types of the first input that Taper knows."""
    texts = schema.inputs[0].types if schema.inputs else ()
    names = {text[7:-1].upper() for text in texts if text.startswith("tensor(")}
    return {TensorProto.DataType.Value(name) for name in names if name in TensorProto.DataType.keys()} & KNOWN_TYPES


def differences(name: str, row: dict) -> Iterator[str]:
    """Where the table's row is not what onnx defines."""
    history = [s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == name and not s.domain]
    before = max((version for version in history if version <= OLDEST), default=None)
    versions = sorted({v for v in history if OLDEST < v <= NEWEST} | ({before} if before else set()))
    if row["versions"] != versions:
        yield f"{name}: changed in {row['versions']}, in onnx in {versions}"
    sets = [version for version in range(OLDEST, NEWEST + 1) if version >= versions[0]]
    schemas = {version: schema_of(name, version) for version in sets}
    least = min(schema.min_input for schema in schemas.values())
    most = max(schema.max_input for schema in schemas.values())
    found = [row["inputs"][0], min(row["inputs"][1], UNBOUNDED)]
    if found != [least, min(most, UNBOUNDED)]:
        yield f"{name}: takes {found} inputs, in onnx [{least}, {most}]"
    for version, schema in schemas.items():
        entry = row["sets"].get(str(version))
        if entry is None:
            yield f"{name}: is not in set {version}"
            continue
        if entry["attributes"] != settings_of(schema):
            yield f"{name} in {version}: settings {entry['attributes']}, in onnx {settings_of(schema)}"
        if schema.inputs and set(entry["types"]) != types_of(schema):
            more, fewer = set(entry["types"]) - types_of(schema), types_of(schema) - set(entry["types"])
            names = [sorted(TensorProto.DataType.Name(code).lower() for code in codes) for codes in (more, fewer)]
            yield f"{name} in {version}: takes {names[0]}, which onnx does not, and not {names[1]}, which it does"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: operator_table.py RESULTS.json", file=sys.stderr)
        return 2
    table = json.loads(Path(arguments[0]).read_text())["operators"]
    found = [line for name, row in sorted(table.items()) for line in differences(name, row)]
    for line in found:
        print(f"FAILED {line}", file=sys.stderr)
    print(f"{len(table)} operators in sets {OLDEST} to {NEWEST}, {len(found)} differences from onnx {onnx.__version__}")
    return 1 if found or not table else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
