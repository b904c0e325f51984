#!/usr/bin/env python3
"""Run a finished run's files in every runtime, compare with Taper's own logits, and write a report.

    python compare.py RUN --reference REFERENCE.safetensors --answers PROGRAM --work DIR [--all --out FILE]

`cargo xtask runtimes` calls this. Each runtime answers in a process of its own, so that one that crashes is a row.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
from safetensors import safe_open

import report
from report import Outcome
from runtimes import HERE, ROOT, RUNTIMES, Runtime, installation, pins, program, version

BATCHES = (1, 7, 1000)
TIMEOUT = 1800  # seconds, for one process; tract takes minutes to compile


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="cargo xtask runtimes")
    parser.add_argument("run", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--append", action="store_true")
    return parser.parse_args(words)


def reference(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images, and what the trained model answers."""
    with safe_open(path, framework="numpy") as file:
        return file.get_tensor("images"), file.get_tensor("logits")


def last_line(*texts: str) -> str:
    """The last thing said, of the first text that says anything."""
    lines = (line for text in texts for line in reversed(text.splitlines()) if line.strip())
    return " ".join(next(lines, "it said nothing").split())


def call(words: list[str], folder: Path) -> tuple[str | None, str]:
    """Run a program: why it failed, if it did, and its output."""
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {TIMEOUT} s", ""
    except OSError as error:
        return f"cannot run {words[0]}: {error.strerror}", ""
    if done.returncode == 0:
        return None, done.stdout
    return f"exit code {done.returncode}: {last_line(done.stderr, done.stdout)}", done.stdout


def lacks(runtime: Runtime, known: dict[str, str]) -> bool:
    """Whether a package of its is not there, or is of another version."""
    for package in runtime.packages:
        try:
            if metadata.version(package) != known[package]:
                return True
        except metadata.PackageNotFoundError:
            return True
    return False


def install(runtime: Runtime, options: argparse.Namespace) -> str | None:
    """Install what the runtime needs: why it is not there, if it is not."""
    if runtime.host == "python" and not lacks(runtime, pins(HERE / "requirements.txt")):
        return None
    step = installation(runtime, options.work)
    if step is None:
        return None
    if runtime.host == "python" and not options.install:
        return f"the Python given has not {' and '.join(runtime.packages)} at the versions of requirements.txt"
    words, folder = step
    if runtime.host == "web":
        folder.mkdir(parents=True, exist_ok=True)
        for file in (HERE / "web").glob("*.*"):
            shutil.copy(file, folder)
    print(f"installing {runtime.name}: {shlex.join(words)}", file=sys.stderr, flush=True)
    error, _ = call(words, folder)
    return error


def answer(runtime: Runtime, options: argparse.Namespace, images: np.ndarray, logits: np.ndarray) -> Outcome:
    """What the runtime does with the file."""
    outcome = Outcome(runtime, version(runtime), remarks=[runtime.remark] if runtime.remark else [])
    if runtime.reference_only and not is_reference_cnn(options.run, images, logits):
        outcome.left_out = "it reads no ONNX, and the script that reads the weights knows the reference CNN only"
        return outcome
    outcome.missing = install(runtime, options)
    if outcome.missing:
        return outcome
    folder = options.work / "answers" / runtime.call
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pixels = folder / "images.f32"
    images.tofile(pixels)
    batches = BATCHES if runtime.batched else BATCHES[:1]
    sizes = ",".join(map(str, images.shape[1:]))
    words = [*program(runtime, options.work, options.answers), str(options.run / "model.onnx")]
    words += [str(pixels), sizes, str(folder), *map(str, batches)]
    outcome.error, said = call(words, folder)
    outcome.hear(said)
    for batch in batches:
        path = folder / f"{batch}.f32"
        if path.exists():
            outcome.differences[batch] = difference(np.fromfile(path, np.float32), logits)
        elif not outcome.error:
            outcome.error = f"it leaves no answers at batch {batch}"
    return outcome


def difference(found: np.ndarray, logits: np.ndarray) -> float:
    """The greatest difference of a logit; infinite for what is no number, or not all of them."""
    if found.size != logits.size:
        return float("inf")
    differences = np.abs(found.astype(np.float64) - logits.astype(np.float64).ravel())
    return float(np.where(np.isnan(differences), np.inf, differences).max())


def metrics_of(run: Path) -> dict:
    """What the run says of itself."""
    return json.loads((run / "metrics.json").read_text())


def is_reference_cnn(run: Path, images: np.ndarray, logits: np.ndarray) -> bool:
    """Whether the network is the preset `tutorial` as it is for MNIST's images."""
    metrics = metrics_of(run)
    is_preset = metrics["model"]["name"] == "tutorial" and not metrics["dataset"].get("normalized_by")
    return is_preset and images.shape[1:] == (1, 28, 28) and logits.shape[1:] == (10,)


def network_of(run: Path, images: np.ndarray) -> report.Network:
    """What the run is, in words."""
    metrics = metrics_of(run)
    model, data, training = metrics["model"], metrics["dataset"], metrics["train"]
    parts = f"`{model['name']}`, {model['parameters']:,} parameters, trained on {data['name']}"
    epochs = f"{training['epochs']} epoch{'s' if training['epochs'] > 1 else ''}"
    size = "x".join(map(str, images.shape[1:]))
    told = f"{parts} ({data['train']:,} images, {epochs})"
    return report.Network(f"`{model['name']}` on {data['name']}", told, len(images), size)


def main() -> int:
    """Compare all that are asked for, and report."""
    options = arguments()
    options.run, options.work, options.answers = (
        path.resolve() for path in (options.run, options.work, options.answers)
    )
    images, logits = reference(options.reference)
    outcomes = []
    for runtime in RUNTIMES:
        if runtime.required or options.all:
            outcomes.append(answer(runtime, options, images, logits))
            print(report.line(outcomes[-1]), flush=True)
    if options.all:
        out = options.out or ROOT / "docs" / "runtimes.md"
        earlier = out.read_text() if options.append else None
        out.write_text(report.write(outcomes, network_of(options.run, images), earlier))
        print(f"report    {out}")
    return 1 if any(outcome.failure() for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
