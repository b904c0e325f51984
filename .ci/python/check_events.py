#!/usr/bin/env python3
"""Read a run's event file with TensorBoard's own package, and compare every number with `history.csv`.

    python check_events.py RUN_DIR
    python check_events.py --live TAPER RUN_DIR

With `--live` a run is started into RUN_DIR, its file in `checkpoints/` is read while it trains, and then it is stopped.
"""

import csv
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# What TensorBoard calls each column.
TAGS = {
    "train/loss": "loss",
    "train/accuracy": "accuracy",
    "train/learning_rate": "learning_rate",
    "validation/loss": "validation_loss",
    "validation/accuracy": "validation_accuracy",
}


def single(number: str) -> float:
    """The float32 nearest to a number, which is what an event file holds."""
    return struct.unpack("<f", struct.pack("<f", float(number)))[0]


def history(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and number of every scalar that `history.csv` tells."""
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {tag: [(int(row["step"]), single(row[column])) for row in rows if row[column]] for tag, column in TAGS.items()}


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and number of every scalar that TensorBoard reads in a folder."""
    # All events, not a sample of them.
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def main(run: Path) -> None:
    expected, found = history(run), scalars(run)
    assert sorted(found) == sorted(TAGS), f"the tags are {sorted(found)}"
    for tag, column in TAGS.items():
        assert expected[tag], f"history.csv has no {column}"
        assert found[tag] == expected[tag], f"{tag} differs from {column} of history.csv"
        print(f"ok {tag}: {len(found[tag])} numbers")


def live(taper: str, run: Path) -> None:
    """What is read while a run trains is the beginning of its history."""
    shutil.rmtree(run, ignore_errors=True)
    words = ["train", "--dataset", "synthetic", "--limit", "2000", "--model", "lenet5", "--epochs", "900"]
    words += ["--checkpoint-every", "5", "--quiet", "--out", str(run)]
    with subprocess.Popen([taper, *words], stdout=subprocess.DEVNULL) as process:
        found, deadline = {}, time.monotonic() + 120
        # Scores of an epoch, and steps of the next.
        while "validation/loss" not in found:
            assert process.poll() is None and time.monotonic() < deadline, f"no events in {run / 'checkpoints'}: {found}"
            time.sleep(0.2)
            found = scalars(run / "checkpoints") if (run / "checkpoints").is_dir() else {}
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130, process.returncode
    assert sorted(found) == sorted(TAGS), f"the tags are {sorted(found)}"
    for tag, expected in history(run).items():
        assert found[tag] == expected[: len(found[tag])], f"{tag} is not what became of it in history.csv"
    steps = len(found["train/loss"])
    print(f"ok while it trained: {steps} steps of {len(history(run)['train/loss'])}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--live", program, folder]:
            live(program, Path(folder))
        case [folder]:
            main(Path(folder))
        case _:
            raise SystemExit(__doc__)
