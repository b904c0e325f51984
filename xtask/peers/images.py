"""Images and labels from IDX files, in the sizes that a network takes."""

import gzip
from pathlib import Path

import numpy as np

FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]


def read_idx(path: Path) -> np.ndarray:
    """The bytes of an IDX file, `path` or `path.gz`."""
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.is_file() else path.read_bytes()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of bytes")
    count = data[3]
    shape = np.frombuffer(data, ">u4", count, 4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * count)
    return values.reshape(shape.astype(np.int64))


def unpack(folder: Path, into: Path) -> None:
    """Write the files without gzip, so that every contender can read them, and as fast."""
    into.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        packed = folder / f"{name}.gz"
        data = gzip.decompress(packed.read_bytes()) if packed.is_file() else (folder / name).read_bytes()
        (into / name).write_bytes(data)


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The training images `[N, H, W]` and labels `[N]`."""
    images, labels = (read_idx(folder / name) for name in FILES)
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {len(images)} images, but {len(labels)} labels")
    return images, labels


def resize(images: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """`[N, H, W]` as `[N, C', H', W']`: row y is row ⌊y·H/H'⌋, columns likewise, and each channel is the same.

    Nothing is learnt from it that smaller images would not show; it only gives each contender equal work.
    """
    channels, height, width = sizes
    rows = np.arange(height) * images.shape[1] // height
    columns = np.arange(width) * images.shape[2] // width
    planes = images[:, rows[:, None], columns]
    return np.repeat(planes[:, None], channels, axis=1)


def prepare(folder: Path, sizes: tuple[int, ...], limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `limit` images, as bytes, and their labels."""
    images, labels = read(folder)
    return resize(images[:limit], sizes), labels[:limit].astype(np.int64)
