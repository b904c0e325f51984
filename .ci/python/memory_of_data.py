"""Trains on folders of 1, 4 and 16 times as many images, and writes the peak memory of each run, and the share of the training
time in which it waited for images, as a Markdown table.

    python3 memory_of_data.py TAPER [IMAGES]
    python3 memory_of_data.py check TAPER [IMAGES]

TAPER is the program, IMAGES the number of the smallest folder (3,000). The images are 32x32 RGB, drawn from a fixed seed. Every
folder is trained on for an epoch twice: decoded into a file of the cache, and decoded into memory (`TAPER_CACHE` set to nothing).
`check` trains on 1 and 4 times as many with the cache alone, and fails if memory grows by more than a quarter of what the pixels
take. Needs Linux and no packages.
"""

import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib

SIDE = 32
FACTORS = [1, 4, 16]
CLASSES = ["dark", "light"]
FLAGS = ["--model", "lenet5", "--epochs", "1", "--threads", "2", "--quiet"]


def png(level: int, draw: random.Random) -> bytes:
    """A noisy image around a level."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(level + (byte & 63) for byte in draw.randbytes(3 * SIDE)) for _ in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def make(folder: pathlib.Path, images: int) -> None:
    """`folder/<class>/<number>.png`."""
    draw = random.Random(5)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(images // len(CLASSES)):
            (folder / name / f"{number:06}.png").write_bytes(png(40 + 100 * label, draw))


def train(taper: pathlib.Path, photos: pathlib.Path, out: pathlib.Path, cache: str) -> dict[str, float]:
    """The most that a run has in memory, in MB: of its own (`RssAnon`), and of files (`RssFile`); how long it `waited`, in %."""
    words = [str(taper), "train", *FLAGS, "--data-dir", str(photos), "--out", str(out)]
    process = subprocess.Popen(words, env={**os.environ, "TAPER_CACHE": cache}, stdout=subprocess.DEVNULL)
    most = {"RssAnon": 0.0, "RssFile": 0.0}
    while process.poll() is None:
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]) * 1024 / 1e6)
        time.sleep(0.005)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    # What is not waited for is computed.
    epochs = json.loads((out / "metrics.json").read_text())["train"]["per_epoch"]
    waited = sum(epoch["data_seconds"] for epoch in epochs) / sum(epoch["seconds"] for epoch in epochs)
    return most | {"waited": 100 * waited}


def megabytes(images: int) -> float:
    """What the pixels of so many images take."""
    return images * 3 * SIDE * SIDE / 1e6


def table(taper: pathlib.Path, least: int, folder: pathlib.Path) -> None:
    """Writes a row for each factor."""
    print("| images | pixels | own memory | of files | waiting for images | decoded into memory: own memory |")
    print("| --- | --- | --- | --- | --- | --- |")
    for factor in FACTORS:
        photos = folder / f"photos-{factor}"
        make(photos, least * factor)
        cached = train(taper, photos, folder / "cached", str(folder / "cache"))
        plain = train(taper, photos, folder / "plain", "")
        cells = [f"{cell:,.0f} MB" for cell in (megabytes(least * factor), cached["RssAnon"], cached["RssFile"])]
        cells += [f"{cached['waited']:.1f} %", f"{plain['RssAnon']:,.0f} MB"]
        print(f"| {least * factor:,} | {' | '.join(cells)} |", flush=True)


def check(taper: pathlib.Path, least: int, folder: pathlib.Path) -> int:
    """Whether memory stays as it is when there are four times as many images: the exit code."""
    found = []
    for factor in FACTORS[:2]:
        photos = folder / f"photos-{factor}"
        make(photos, least * factor)
        run = train(taper, photos, folder / "run", str(folder / "cache"))
        found.append(run["RssAnon"] + run["RssFile"])
        print(f"{least * factor:,} images, {megabytes(least * factor):.0f} MB of pixels: {found[-1]:.0f} MB in memory")
    allowed = megabytes(least * (FACTORS[1] - FACTORS[0])) / 4
    if found[1] - found[0] <= allowed:
        return 0
    print(f"memory grew by {found[1] - found[0]:.0f} MB, more than {allowed:.0f}", file=sys.stderr)
    return 1


def main(arguments: list[str]) -> int:
    checks = arguments[:1] == ["check"]
    arguments = arguments[checks:]
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    taper = pathlib.Path(arguments[0]).resolve()
    least = int(arguments[1]) if len(arguments) > 1 else 3000
    with tempfile.TemporaryDirectory() as name:
        if checks:
            return check(taper, least, pathlib.Path(name))
        table(taper, least, pathlib.Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
