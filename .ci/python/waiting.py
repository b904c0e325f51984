"""Trains for an epoch or two, and writes which share of the time the network waited for images, as a Markdown table.

    python3 waiting.py TAPER MNIST

TAPER is the program, MNIST the folder with its files. The folder of images is that of memory_of_data.py: 32x32 RGB, drawn from a
fixed seed. Needs no packages.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from memory_of_data import make

IMAGES = 12_000
EPOCHS = 2
# What it is called, and its flags; PHOTOS stands for the folder of images.
RUNS = [
    ("MNIST, the reference CNN", ["--data-dir", "MNIST"]),
    ("MNIST, `--recipe best`", ["--data-dir", "MNIST", "--recipe", "best"]),
    ("MNIST, `--model lenet5`", ["--data-dir", "MNIST", "--model", "lenet5"]),
    ("3x32x32, `--model residual`", ["--data-dir", "PHOTOS", "--model", "residual"]),
    ("3x32x32, `--model lenet5`", ["--data-dir", "PHOTOS", "--model", "lenet5"]),
    (
        "3x32x32, `--model lenet5`, shifted, turned and cut",
        ["--data-dir", "PHOTOS", "--model", "lenet5", "--shift", "4", "--rotation", "10", "--cutout", "8"],
    ),
]


def train(taper: pathlib.Path, flags: list[str], out: pathlib.Path) -> tuple[float, float]:
    """Images a second, and the share of the time that was waited."""
    words = [str(taper), "train", *flags, "--epochs", str(EPOCHS), "--limit", "10000", "--quiet", "--out", str(out)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    training = json.loads((out / "metrics.json").read_text())["train"]
    waited = sum(epoch["data_seconds"] for epoch in training["per_epoch"])
    return training["images_per_second"], waited / training["seconds"]


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    taper, mnist = (str(pathlib.Path(argument).resolve()) for argument in arguments)
    print("| 10,000 images, two epochs | images/s | waiting for images |")
    print("| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        places = {"MNIST": mnist, "PHOTOS": str(folder / "photos")}
        make(folder / "photos", IMAGES)
        for number, (title, flags) in enumerate(RUNS):
            flags = [places.get(flag, flag) for flag in flags]
            speed, waited = train(pathlib.Path(taper), flags, folder / f"run-{number}")
            print(f"| {title} | {speed:,.0f} | {100 * waited:.2f} % |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
