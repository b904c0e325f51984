#!/usr/bin/env python3
"""Make a folder of images as of CIFAR-10, and check a run on it with programs that know nothing of Taper.

    python image_folder.py make FOLDER
    python image_folder.py check FOLDER RUN REFERENCE.safetensors

`make` writes `train/<class>/*.jpg` and `test/<class>/*.jpg`, 32x32 RGB, drawn from a fixed seed. `check` reads those very files with
Pillow: Taper's pixels, the images of REFERENCE (`taper reference`), must be the same but for the rounding of two JPEG decoders. Given
them, the run's `model.onnx` must have the accuracy of `metrics.json` in onnxruntime, and the logits of the trained network. The file's
metadata must name the classes. The exit code is 0 if all is well, 1 if not, 2 for wrong usage.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
CLASSES = ["columns", "disc", "rows"]
PARTS = {"train": 90, "test": 30}
TOLERANCE = 1e-4
# Levels of 255: two decoders may round a colour apart.
ROUNDING = 4


def pixels(kind: str, draw: random.Random) -> np.ndarray:
    """A shape on a noisy ground, `[H, W, 3]`."""
    ink, ground = ([draw.randrange(low, low + 60) for low in lows] for lows in [(150, 60, 20), (20, 60, 100)])
    y0, x0, size = draw.randrange(10, 22), draw.randrange(10, 22), draw.randrange(6, 10)
    out = np.zeros((SIDE, SIDE, 3), np.uint8)
    for y in range(SIDE):
        for x in range(SIDE):
            dy, dx = y - y0, x - x0
            inside = {
                "columns": x // 4 % 2 == 0,
                "disc": dy * dy + dx * dx <= size * size,
                "rows": y // 4 % 2 == 0,
            }[kind]
            noise = draw.randrange(30)
            out[y, x] = [min(level + noise, 255) for level in (ink if inside else ground)]
    return out


def make(folder: Path) -> None:
    draw = random.Random(11)
    for part, count in PARTS.items():
        for kind in CLASSES:
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                path = folder / part / kind / f"{number:03}.jpg"
                # Without subsampled colours, since decoders also differ in how they scale these up.
                Image.fromarray(pixels(kind, draw)).save(path, quality=92, subsampling=0)


def read(folder: Path, part: str) -> tuple[np.ndarray, list[int]]:
    """The images of a part, `[N, 3, H, W]` in 0…255, class by class, and their classes."""
    paths = [path for kind in CLASSES for path in sorted((folder / part / kind).iterdir())]
    images = np.array([np.asarray(Image.open(path)) for path in paths]).transpose(0, 3, 1, 2)
    return images, [CLASSES.index(path.parent.name) for path in paths]


def check(folder: Path, run: Path, reference: Path) -> None:
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file

    model = onnx.load(run / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    props = {entry.key: entry.value for entry in model.metadata_props}
    metrics = json.loads((run / "metrics.json").read_text())
    assert json.loads(props["class_names"]) == CLASSES == metrics["dataset"]["class_names"], props
    assert props["dataset"] == folder.name, props

    tensors = load_file(reference)
    (test, labels), plain = read(folder, "test"), tensors["images"]
    assert plain.shape == (3 * PARTS["test"], 3, SIDE, SIDE) == test.shape, (plain.shape, test.shape)
    assert np.abs(plain * 255 - test).max() <= ROUNDING, "Taper read other pixels than Pillow"
    assert tensors["labels"].tolist() == labels, "Taper gave the images other classes"

    session = onnxruntime.InferenceSession(str(run / "model.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": plain})
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    told = metrics["test"]["accuracy"]
    assert abs(accuracy - told) < 1e-9, f"accuracy {accuracy} in onnxruntime, {told} in metrics.json"
    assert accuracy > 0.8, f"accuracy {accuracy}"
    difference = float(np.abs(logits - tensors["logits"]).max())
    assert difference <= TOLERANCE, f"logits differ by {difference:.1e}"

    train = read(folder, "train")[0] / 255
    for what, expected in [("mean", train.mean(axis=(0, 2, 3))), ("std", train.std(axis=(0, 2, 3)))]:
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
