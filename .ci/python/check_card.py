#!/usr/bin/env python3
"""Read a run's model card with the Hub's own package, and compare what it tells with `metrics.json`.

    python check_card.py RUN_DIR
"""

import contextlib
import io
import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import click
from huggingface_hub import HfApi, ModelCard
from huggingface_hub.cli.hf import app
from huggingface_hub.utils import filter_repo_objects

# What the Hub calls the data that it has.
ON_HUB = {
    "mnist": "ylecun/mnist",
    "fashion-mnist": "zalando-datasets/fashion_mnist",
    "kmnist": "tanganke/kmnist",
    "cifar10": "uoft-cs/cifar10",
}

# Files that are in a run's folder while it trains, and must not be uploaded.
JUNK = ["checkpoints/step-0000000250-epoch-0000-0123456789abcdef.safetensors", "checkpoints/events.out.tfevents.taper",
        ".taper-a1B2c3.tmp", ".lock"]


def check_header(card: ModelCard, metrics: dict) -> str:
    """The YAML header, in the words of the package."""
    header = card.data
    assert header.library_name == "taper", header.library_name
    assert header.pipeline_tag == "image-classification", header.pipeline_tag
    assert {"image-classification", "onnx", "safetensors"} <= set(header.tags), header.tags
    dataset = metrics["dataset"]
    on_hub = None if dataset["source"].startswith("folder:") else ON_HUB.get(dataset["name"])
    assert header.datasets == (on_hub and [on_hub]), header.datasets
    assert header.model_name == metrics["model"]["name"], header.model_name
    results = {result.metric_type: result for result in header.eval_results}
    assert set(results) == {"accuracy", "loss"}, results
    for kind, result in results.items():
        assert result.metric_value == metrics["test"][kind], f"{kind} is {result.metric_value!r}"
        assert result.task_type == "image-classification" and result.dataset_split == "test", result
        assert result.dataset_type == (on_hub or dataset["name"]), result
    return f"{header.model_name}, accuracy {results['accuracy'].metric_value}"


def check_license(card: ModelCard, run: Path) -> str:
    """The licence is the configuration's, and without one there is none."""
    line = re.search(r'(?m)^license = "(.+)"$', (run / "config.toml").read_text())
    expected = line[1] if line else None
    assert card.data.license == expected, f"the licence is {card.data.license!r}, not {expected!r}"
    return expected or "none, and none was given"


def asked_of_hub(line: str, run: Path) -> dict:
    """What the real `hf` makes of a command line in the folder of the run: what it would ask of the Hub."""
    asked = {}

    def create_repo(_api, **given):
        asked["create_repo"] = given
        return SimpleNamespace(repo_id=given["repo_id"])

    def upload_folder(_api, **given):
        asked["upload_folder"] = given
        return "https://huggingface.co"

    program, *words = shlex.split(line)
    assert program == "hf", line
    hub = mock.patch.multiple(HfApi, create_repo=create_repo, upload_folder=upload_folder)
    with hub, contextlib.chdir(run), contextlib.redirect_stdout(io.StringIO()):
        try:
            app.main(args=words, prog_name="hf", standalone_mode=False)
        except click.ClickException as error:
            raise AssertionError(f"`{line}`: {error.format_message()}") from error
    return asked


def check_upload(card: ModelCard, run: Path) -> str:
    """The line that uploads takes all files of the run and no others."""
    lines = [line.strip() for line in card.text.splitlines() if line.strip().startswith("hf upload ")]
    assert len(lines) == 1, lines
    asked = asked_of_hub(lines[0], run)
    upload = asked["upload_folder"]
    assert asked["create_repo"]["repo_id"] == upload["repo_id"] == "USER/NAME", asked
    assert upload["repo_type"] == "model" and upload["folder_path"] == upload["path_in_repo"] == ".", asked
    files = sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())
    patterns = {name: upload[name] for name in ("allow_patterns", "ignore_patterns")}
    sent = list(filter_repo_objects(files + JUNK, **patterns))
    assert sent == files, f"it would upload {sent}, and not {files}"
    return ", ".join(files)


def main(run: Path) -> None:
    card = ModelCard.load(run / "README.md")
    metrics = json.loads((run / "metrics.json").read_text())
    # What the package writes of it, it must read as the same.
    again = ModelCard(str(card)).data.to_dict()
    assert again == card.data.to_dict(), again
    print(f"ok header: {check_header(card, metrics)}")
    print(f"ok licence: {check_license(card, run)}")
    print(f"ok upload: {check_upload(card, run)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
