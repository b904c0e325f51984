#!/usr/bin/env python3
"""Read a run's event file with TensorBoard's own package, and compare every number with `history.csv`.

    python check_events.py RUN_DIR
"""

import csv
import struct
import sys
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


def main(run: Path) -> None:
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # All events, not a sample of them.
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    found = events.Tags()["scalars"]
    assert sorted(found) == sorted(TAGS), f"the tags are {found}"
    for tag, column in TAGS.items():
        expected = [(int(row["step"]), single(row[column])) for row in rows if row[column]]
        assert expected, f"history.csv has no {column}"
        scalars = [(event.step, event.value) for event in events.Scalars(tag)]
        assert scalars == expected, f"{tag} differs from {column} of history.csv"
        print(f"ok {tag}: {len(scalars)} numbers")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
