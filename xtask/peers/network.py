"""Taper's network files, read by its peers: every contender runs the very same network.

The format is that of `crates/taper-graph/src/text.rs`: a name, the input's sizes and a list of layers, each with an
`op`, its settings, and, where it does not read the layer above, its `inputs`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ACTIVATIONS = ["relu", "gelu", "silu", "tanh", "sigmoid"]
WINDOW = {"stride": None, "padding": 0, "ceil_mode": False}
# The settings of each op, with their defaults; those without one must stand in the file.
SETTINGS: dict[str, dict] = {
    "conv2d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    "max_pool2d": {**WINDOW, "dilation": 1},
    "avg_pool2d": {**WINDOW, "count_include_pad": True},
    "batch_norm2d": {"eps": 1e-5, "momentum": 0.1},
    "linear": {"bias": True},
    **{op: {} for op in [*ACTIVATIONS, "global_avg_pool", "softmax", "dropout", "flatten", "add", "concat"]},
}
REQUIRED = {
    "conv2d": {"out_channels", "kernel"},
    "max_pool2d": {"kernel"},
    "avg_pool2d": {"kernel"},
    "linear": {"out_features"},
    "dropout": {"p"},
}


@dataclass(frozen=True)
class Layer:
    """An op with all its settings; `inputs` are names of layers, or `input`."""

    name: str
    op: str
    settings: dict
    inputs: list[str]


@dataclass(frozen=True)
class Description:
    """A network file."""

    name: str
    input: tuple[int, ...]
    layers: list[Layer]


def read(path: Path) -> Description:
    """Read a network file. An op or setting that is not known is an error, never passed over."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Description:
    """See `read`."""
    file = tomllib.loads(text)
    layers: list[Layer] = []
    above = "input"
    for number, table in enumerate(file["layers"]):
        table = dict(table)
        name, op = table.pop("name", str(number)), table.pop("op")
        inputs = table.pop("inputs", [above])
        if op not in SETTINGS:
            raise ValueError(f"layer {name}: no op is called {op}")
        required, defaults = REQUIRED.get(op, set()), SETTINGS[op]
        if missing := required - table.keys():
            raise ValueError(f"layer {name}: {op} lacks {sorted(missing)}")
        if unknown := table.keys() - required - defaults.keys():
            raise ValueError(f"layer {name}: {op} has no setting {sorted(unknown)}")
        layers.append(Layer(name, op, defaults | table, inputs))
        above = name
    return Description(file["name"], tuple(file["input"]), layers)
