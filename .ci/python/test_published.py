"""The checks of model cards and event files pass a good run and catch planted defects."""

import contextlib
import io
import json
import struct
import tempfile
import unittest
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

import check_card
import check_events

CARD = """---
license: "mit"
library_name: taper
pipeline_tag: image-classification
tags:
- image-classification
- onnx
- safetensors
- mnist
datasets:
- ylecun/mnist
metrics:
- accuracy
model-index:
- name: "tutorial"
  results:
  - task:
      type: image-classification
    dataset:
      type: ylecun/mnist
      name: "MNIST"
      split: test
    metrics:
    - type: accuracy
      value: 0.9912
    - type: loss
      value: 0.03
---

# `tutorial` on MNIST

<!--
    hf upload USER/NAME . . --exclude 'checkpoints/*' --exclude '.*'
-->
"""
METRICS = {"dataset": {"name": "mnist", "source": "idx"}, "model": {"name": "tutorial"}, "test": {"accuracy": 0.9912, "loss": 0.03}}
HISTORY = """epoch,step,loss,accuracy,learning_rate,validation_loss,validation_accuracy
1,1,2.25,0.125,0.001,,
1,2,0.1,1.0,0.001,0.3,0.96
"""


def write_events(path: Path) -> None:
    """The history, as TensorBoard itself would write it."""
    events = [(1, "train", 2.25, 0.125), (2, "train", 0.1, 1.0), (2, "validation", 0.3, 0.96)]
    with path.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(file_version="brain.Event:2").SerializeToString())
        for step, part, loss, accuracy in events:
            values = {f"{part}/loss": loss, f"{part}/accuracy": accuracy}
            if part == "train":
                values["train/learning_rate"] = 0.001
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
            writer.write(Event(step=step, summary=summary).SerializeToString())
        writer.flush()


class Published(unittest.TestCase):
    """A run in a folder of its own for every test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.run_folder = Path(folder.name)
        self.write("README.md", CARD)
        self.write("metrics.json", json.dumps(METRICS))
        self.write("config.toml", 'license = "mit"\n[data]\n')
        self.write("history.csv", HISTORY)
        write_events(self.run_folder / "events.out.tfevents.taper")

    def write(self, name: str, text: str) -> None:
        (self.run_folder / name).write_text(text)

    def check(self, script) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            script.main(self.run_folder)

    def test_a_good_run_passes(self):
        self.check(check_card)
        self.check(check_events)

    def test_defects_of_a_card_are_caught(self):
        for old, new in [
            ("value: 0.9912", "value: 0.9913"),
            ("value: 0.03", "value: 3e-2"),  # a text in YAML 1.1
            ("ylecun/mnist\n", "mnist\n"),
            ('license: "mit"', 'license: "gpl"'),
            ("- onnx\n", ""),
            ("split: test", "split: train"),
            (" --exclude '.*'", ""),
            ("'checkpoints/*'", "'model*'"),
            ("--exclude '.*'", "--leave-out '.*'"),
            ("USER/NAME . .", "USER/NAME . plots"),
        ]:
            with self.subTest(old=old):
                assert old in CARD
                self.write("README.md", CARD.replace(old, new))
                with self.assertRaises((AssertionError, ValueError)):
                    self.check(check_card)

    def test_defects_of_events_are_caught(self):
        for old, new in [("2.25", "2.5"), ("1,2,", "1,3,"), (",0.96", ",0.97"), ("1,1,2.25,0.125,0.001,,\n", "")]:
            with self.subTest(old=old):
                assert old in HISTORY
                self.write("history.csv", HISTORY.replace(old, new))
                with self.assertRaises(AssertionError):
                    self.check(check_events)

    def test_a_damaged_record_is_caught(self):
        path = self.run_folder / "events.out.tfevents.taper"
        content = bytearray(path.read_bytes())
        content[content.index(struct.pack("<f", 2.25))] ^= 1
        path.write_bytes(content)
        with self.assertRaises(Exception):
            self.check(check_events)


if __name__ == "__main__":
    unittest.main()
