#!/usr/bin/env python3
"""Make a folder of images, and check a run on it with programs that know nothing of Taper.

    python image_folder.py make FOLDER
    python image_folder.py check FOLDER RUN REFERENCE.safetensors

`make` writes `train/<class>/*.png` and `test/<class>/*.png`, 24x20 RGB, drawn from a fixed seed; it needs nothing but Python.
`check` gives the run's `model.onnx` plain pixels of those very pictures, in onnxruntime: the accuracy must be the one in
`metrics.json`, and the logits on the images of REFERENCE (`taper reference`) those of the trained network. The file's metadata must
name the classes. The exit code is 0 if all is well, 1 if not, 2 for wrong usage.
"""

import json
import random
import struct
import sys
import zlib
from pathlib import Path

HEIGHT, WIDTH = 24, 20
CLASSES = ["columns", "disc", "rows"]
PARTS = {"train": 90, "test": 30}
TOLERANCE = 1e-4


def pixels(kind: str, draw: random.Random) -> bytes:
    """A shape on a noisy ground, row by row, RGB."""
    ink, ground = ([draw.randrange(low, low + 60) for low in lows] for lows in [(150, 60, 20), (20, 60, 100)])
    y0, x0, size = draw.randrange(8, 16), draw.randrange(6, 14), draw.randrange(4, 7)
    out = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            dy, dx = y - y0, x - x0
            inside = {
                "columns": x // 3 % 2 == 0,
                "disc": dy * dy + dx * dx <= size * size,
                "rows": y // 3 % 2 == 0,
            }[kind]
            noise = draw.randrange(30)
            out += bytes(min(level + noise, 255) for level in (ink if inside else ground))
    return bytes(out)


def png(rgb: bytes) -> bytes:
    """The simplest PNG: 8-bit RGB, no filter."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[start : start + 3 * WIDTH] for start in range(0, len(rgb), 3 * WIDTH))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pictures():
    """Part, class, number and pixels of every picture."""
    draw = random.Random(11)
    for part, count in PARTS.items():
        for kind in CLASSES:
            for number in range(count):
                yield part, kind, number, pixels(kind, draw)


def make(folder: Path) -> None:
    for part, kind, number, rgb in pictures():
        path = folder / part / kind / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(rgb))


def check(folder: Path, run: Path, reference: Path) -> None:
    import numpy as np
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file

    model = onnx.load(run / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    props = {entry.key: entry.value for entry in model.metadata_props}
    metrics = json.loads((run / "metrics.json").read_text())
    assert json.loads(props["class_names"]) == CLASSES == metrics["dataset"]["class_names"], props
    assert props["dataset"] == folder.name, props

    session = onnxruntime.InferenceSession(str(run / "model.onnx"), providers=["CPUExecutionProvider"])
    test = [(CLASSES.index(kind), rgb) for part, kind, _, rgb in pictures() if part == "test"]
    images = np.array([np.frombuffer(rgb, np.uint8) for _, rgb in test]).reshape(-1, HEIGHT, WIDTH, 3)
    plain = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    (logits,) = session.run(["logits"], {"image": plain})
    accuracy = float((logits.argmax(axis=1) == [label for label, _ in test]).mean())
    told = metrics["test"]["accuracy"]
    assert abs(accuracy - told) < 1e-9, f"accuracy {accuracy} in onnxruntime, {told} in metrics.json"
    assert accuracy > 0.8, f"accuracy {accuracy}"

    tensors = load_file(reference)
    assert np.array_equal(tensors["images"], plain), "Taper read other pixels than were written"
    difference = float(np.abs(logits - tensors["logits"]).max())
    assert difference <= TOLERANCE, f"logits differ by {difference:.1e}"

    train = [rgb for part, _, _, rgb in pictures() if part == "train"]
    values = np.array([np.frombuffer(rgb, np.uint8) for rgb in train]).reshape(-1, 3) / 255
    for what, expected in [("mean", values.mean(axis=0)), ("std", values.std(axis=0))]:
        found = metrics["dataset"]["normalized_by"][what]
        # A tenth of the training images was held out.
        assert np.abs(np.array(found) - expected).max() < 0.01, f"{what} {found}, of all images {expected}"
    print(f"{run}: accuracy {accuracy:.4f} in onnxruntime too, logits within {difference:.1e}, classes {CLASSES}")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["make", folder]:
            make(Path(folder))
        case ["check", folder, run, reference]:
            check(Path(folder), Path(run), Path(reference))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
