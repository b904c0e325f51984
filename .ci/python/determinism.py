"""Trains the same network several times and compares the files bit for bit: on 1, 2 and 8 threads, twice, and with a progress bar.

    python3 determinism.py TAPER FOLDER

Needs no packages, but a system with terminals.
"""

import pathlib
import subprocess
import sys

from terminals import in_terminal

# Everything that draws at random or has a state: changed images, dropout, a schedule, a moving average.
FLAGS = ["train", "--dataset", "synthetic", "--limit", "3000", "--epochs", "1", "--recipe", "best", "--ema-decay", "0.99"]
FILES = ["model.safetensors", "history.csv", "events.out.tfevents.taper"]


def main(program, folder):
    """Trains; the first run is what the others must equal."""
    folder = pathlib.Path(folder)
    runs = [("2 threads", ["2"]), ("2 threads again", ["2"]), ("1 thread", ["1"]), ("8 threads", ["8"])]
    results = {}
    for number, (name, threads) in enumerate(runs):
        out = folder / str(number)
        subprocess.run([program, *FLAGS, "--quiet", "--threads", *threads, "--out", out], check=True, stdout=subprocess.DEVNULL)
        results[name] = [(out / file).read_bytes() for file in FILES]
    out = folder / "bar"
    shown = in_terminal([program, *FLAGS, "--threads", "2", "--out", str(out)])
    if b"images/s" not in shown or b"\r" not in shown:
        raise SystemExit(f"there was no progress bar: {shown!r}")
    results["with a progress bar"] = [(out / file).read_bytes() for file in FILES]
    first, expected = next(iter(results.items()))
    differ = [name for name, found in results.items() if found != expected]
    if differ:
        raise SystemExit(f"other bits than with {first}: {', '.join(differ)}")
    print(f"the same {' and '.join(FILES)}: {', '.join(results)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
