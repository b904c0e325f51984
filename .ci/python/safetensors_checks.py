"""Checks of `model.safetensors`: read without PyTorch, and run by a network written in NumPy alone."""

import json
import struct
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from safetensors import safe_open

from onnx_checks import compare

SHAPES = {
    "layer1.0.weight": (32, 1, 3, 3),
    "layer1.0.bias": (32,),
    "layer2.0.weight": (64, 32, 3, 3),
    "layer2.0.bias": (64,),
    "layer3.0.weight": (128, 64, 3, 3),
    "layer3.0.bias": (128,),
    "fc1.weight": (625, 2048),
    "fc1.bias": (625,),
    "fc2.weight": (10, 625),
    "fc2.bias": (10,),
}
FORWARD_IMAGES = 7
# Would make two runs of the same training differ.
VOLATILE = {"date", "duration", "host", "path", "seconds", "threads", "time", "timestamp"}


def run(report, path: Path, reference) -> dict | None:
    """All checks of the file; its metadata if that is well-formed."""
    header = report.check("safetensors header", read_header, path)
    described = report.check("safetensors metadata", metadata, header) if header is not None else None
    tensors = report.check("safetensors tensors", read_tensors, path)
    if tensors is not None and reference is not None:
        report.check("numpy forward", numpy_forward, tensors, reference)
    return described


def sorted_object(pairs: list) -> dict:
    """A JSON object whose keys have to be sorted, each once."""
    keys = [key for key, _ in pairs]
    assert keys == sorted(set(keys)), f"keys are not sorted, or one occurs twice: {keys}"
    return dict(pairs)


def read_header(path: Path):
    """The header as it stands in the file: a length, then JSON."""
    assert path.is_file(), f"there is no {path}; train first"
    raw = path.read_bytes()
    assert len(raw) >= 8, f"{path} is {len(raw)} bytes long"
    (length,) = struct.unpack("<Q", raw[:8])
    assert length <= len(raw) - 8, f"{path} is cut short: a header of {length} bytes in {len(raw)}"
    return f"{len(raw):,} bytes", json.loads(raw[8 : 8 + length])


def metadata(header: dict):
    """One key, `taper`, with sorted JSON that says nothing of the moment and the machine."""
    entries = header.get("__metadata__", {})
    assert list(entries) == ["taper"], f"the header's metadata has the keys {list(entries)}, not only `taper`"
    described = json.loads(entries["taper"], object_pairs_hook=sorted_object)
    for key in ("accuracy", "class_names", "dataset", "graph", "normalization", "version"):
        assert key in described, f"`taper` lacks {key}"
    volatile = VOLATILE & set(every_key(described))
    assert not volatile, f"differs from run to run: {sorted(volatile)}"
    source = described["dataset"]["source"]
    assert not Path(source).is_absolute(), f"the data's source is a path on this machine: {source}"
    for key, value in described.items():
        if key != "graph":
            print(f"   {key} = {json.dumps(value)}")
    return None, described


def every_key(value):
    """The keys of all objects within a JSON value."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for element in value:
            yield from every_key(element)


def read_tensors(path: Path):
    """The ten tensors of the reference CNN, under PyTorch's names, and no other."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no dict
    missing, surplus = sorted(SHAPES.keys() - tensors.keys()), sorted(tensors.keys() - SHAPES.keys())
    assert not missing and not surplus, f"missing {missing}, surplus {surplus}"
    for name, shape in SHAPES.items():
        tensor = tensors[name]
        assert tensor.dtype == np.float32, f"`{name}` is {tensor.dtype}, not float32"
        assert tensor.shape == shape, f"`{name}` is {list(tensor.shape)}, not {list(shape)}"
        assert np.isfinite(tensor).all(), f"`{name}` has values that are not finite"
    return f"{sum(t.size for t in tensors.values()):,} parameters in {len(tensors)} tensors", tensors


def conv3x3(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution, stride 1, padding 1, as a matrix product over im2col: `[N, C, H, W]` to `[N, O, H, W]`."""
    n, _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    # [N, C, H, W, 3, 3] to [N, H*W, C*9]
    columns = sliding_window_view(padded, (3, 3), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    columns = columns.reshape(n, height * width, -1)
    y = columns @ weight.reshape(len(weight), -1).T + bias
    return y.transpose(0, 2, 1).reshape(n, len(weight), height, width)


def max_pool2x2(x: np.ndarray, padding: int) -> np.ndarray:
    """Max-pool, 2x2, stride 2; a last odd row or column is left out."""
    sides = (padding, padding)
    x = np.pad(x, ((0, 0), (0, 0), sides, sides), constant_values=-np.inf)
    return sliding_window_view(x, (2, 2), axis=(2, 3))[:, :, ::2, ::2].max(axis=(4, 5))


def forward(tensors: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The reference CNN: images `[N, 1, 28, 28]` to logits `[N, 10]`, in the precision of its arguments."""
    x = images
    for layer, padding in [("layer1.0", 0), ("layer2.0", 0), ("layer3.0", 1)]:
        x = np.maximum(conv3x3(x, tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]), 0)
        x = max_pool2x2(x, padding)
    x = x.reshape(len(x), -1)
    x = np.maximum(x @ tensors["fc1.weight"].T + tensors["fc1.bias"], 0)
    return x @ tensors["fc2.weight"].T + tensors["fc2.bias"]


def numpy_forward(tensors: dict[str, np.ndarray], reference):
    """The weights mean what the trained model means by them."""
    images, logits = reference
    exact = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    found = forward(exact, images[:FORWARD_IMAGES].astype(np.float64))
    return compare(found, logits[:FORWARD_IMAGES])
