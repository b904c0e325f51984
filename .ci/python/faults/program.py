"""The program under test: how it is started, what it must leave, and what it must never leave."""

import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import time
import tomllib

# What the names of files begin with that are not yet in their places.
TEMPORARY = ".taper-"

# Longer than anything here takes, on any machine.
PATIENCE = 300

# What a run leaves that must not depend on what happened to it, and metrics.json without its timings.
RESULTS = ["model.safetensors", "model.onnx", "history.csv", "events.out.tfevents.taper", "config.toml", "README.md"]
TIMINGS = ["seconds", "images_per_second", "threads", "per_epoch"]


class Fault(Exception):
    """Something that must not be."""


def network() -> str:
    """LeNet-5 with dropout, so that all that is drawn from the seed takes part."""
    presets = pathlib.Path(__file__).parents[3] / "crates/taper-graph/presets"
    last = '[[layers]]\nname = "fc3"'
    text = (presets / "lenet5.toml").read_text()
    assert last in text, "lenet5.toml has no layer fc3"
    return text.replace(last, f'[[layers]]\nname = "dropout"\nop = "dropout"\np = 0.1\n\n{last}')


class Program:
    """`taper` with a folder to work in. Every run here is of the same few thousand digits, with many checkpoints."""

    def __init__(self, taper: pathlib.Path, folder: pathlib.Path, model: str):
        self.taper = taper.resolve()
        self.folder = folder.resolve()
        (self.folder / "small.toml").write_text(model)

    def run(self, name: str) -> pathlib.Path:
        return self.folder / name

    def words(self, run: pathlib.Path, *extra: str, data=("--dataset", "synthetic")) -> list[str]:
        own = ["--model", "small.toml", "--limit", "6000", "--epochs", "4", "--checkpoint-every", "7"]
        keep = ["--keep-checkpoints", "2", "--out", str(run)]
        return [str(self.taper), "pipeline", "--resume", *data, *own, *keep, *extra]

    def start(self, words: list[str], **options) -> subprocess.Popen:
        environment = os.environ | options.pop("env", {})
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(words, cwd=self.folder, env=environment, **pipes, **options)

    def ends(self, process: subprocess.Popen, code: int, *mentions: str) -> str:
        """Waits for the program, which must end with `code` and say all of `mentions`; gives what it said."""
        out, said = process.communicate(timeout=PATIENCE)
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        missing = [mention for mention in mentions if mention not in said]
        if process.returncode != code or missing or "panicked" in said or len(errors) != (code == 1):
            raise Fault(f"wanted exit code {code} and {missing}, got {process.returncode}:\n{said}{out}")
        return errors[0] if errors else said

    def call(self, words: list[str], code: int = 0, *mentions: str, **options) -> str:
        return self.ends(self.start(words, **options), code, *mentions)

    def whole_run(self) -> dict[str, bytes]:
        """What a run leaves that nothing happens to, and in `seconds` how long it and its beginning take."""
        run = self.run("whole")
        started = time.monotonic()
        process = self.start(self.words(run))
        wait(process, lambda: names(run / "checkpoints"))
        self.beginning = time.monotonic() - started
        self.ends(process, 0)
        self.seconds = time.monotonic() - started
        return results(run)

    def started_run(self, name: str, *extra: str, checkpoints: int = 1, **options) -> subprocess.Popen:
        """A run that has written so many checkpoints, and goes on."""
        folder = self.run(name) / "checkpoints"
        process = self.start(self.words(self.run(name), *extra), **options)
        if not wait(process, lambda: len(checkpoint_files(folder)) >= checkpoints):
            raise Fault(f"it ended too early:\n{process.communicate()[1]}")
        return process


def wait(process: subprocess.Popen, condition) -> bool:
    """Looks again and again, without a pause; false if the program ends first."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None:
        if condition():
            return True
        if time.monotonic() > end:
            process.kill()
            raise Fault("what was waited for did not come")
    return False


def stop(process: subprocess.Popen) -> None:
    """Kills the program with SIGKILL: nothing is saved or cleaned up."""
    process.kill()
    process.communicate()


def names(folder: pathlib.Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def temporaries(folder: pathlib.Path) -> list[str]:
    return [name for name in names(folder) if name.startswith(TEMPORARY)]


def staging(folder: pathlib.Path) -> list[str]:
    """Folders in which the results of a run are before they are moved into their places."""
    return [name for name in temporaries(folder) if not name.endswith(".tmp")]


def checkpoint_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoints in `folder`, the newest last."""
    return [folder / name for name in names(folder) if name.startswith("step-")]


def results(run: pathlib.Path) -> dict[str, bytes]:
    metrics = json.loads((run / "metrics.json").read_text())
    for timing in TIMINGS:
        del metrics["train"][timing]
    found = {name: (run / name).read_bytes() for name in RESULTS}
    found["config.toml"] = re.sub(rb"(?m)^threads = .*\n+", b"", found["config.toml"])
    found |= {f"plots/{name}": (run / "plots" / name).read_bytes() for name in names(run / "plots")}
    # The page tells the timings and the threads. What it draws is in `plots/` too, number by number.
    found["report.html"] = re.sub(rb"\d[\d.,]*( threads?)?", b"0", (run / "report.html").read_bytes())
    return found | {"metrics.json": json.dumps(metrics).encode()}


def check_same(run: pathlib.Path, whole: dict[str, bytes]) -> None:
    """The files are those of the whole run, bit for bit, and there are no others."""
    found = results(run)
    if different := [name for name in whole if found.get(name) != whole[name]]:
        raise Fault(f"{run}: {', '.join(different)} differ from those of a run that was left alone")
    if set(found) != set(whole) or names(run) != sorted({name.split("/")[0] for name in whole}):
        raise Fault(f"{run} holds {names(run)} and {sorted(set(found) - set(whole))}")


def check_whole(run: pathlib.Path) -> None:
    """No file is half written: whatever bears its final name is complete."""
    for path in checkpoint_files(run / "checkpoints"):
        checksum = re.fullmatch(r"step-\d+-epoch-\d+-([0-9a-f]{16})\.safetensors", path.name)
        if not checksum or hashlib.sha256(path.read_bytes()).hexdigest()[:16] != checksum[1]:
            raise Fault(f"{path} is half a checkpoint")
    for name in names(run):
        try:
            check_file(run / name)
        except (ValueError, struct.error) as cause:
            raise Fault(f"{run / name} is half a file: {cause}") from cause


def check_file(path: pathlib.Path) -> None:
    match path.name:
        case "metrics.json":
            json.loads(path.read_text())
        case "config.toml":
            tomllib.loads(path.read_text())
        case "history.csv":
            lines = path.read_text().splitlines(keepends=True)
            if not lines or {line.count(",") for line in lines} != {lines[0].count(",")} or lines[-1][-1] != "\n":
                raise ValueError("it breaks off")
        case "events.out.tfevents.taper":
            content = path.read_bytes()
            place = 0
            while place < len(content):  # a record: its length, a checksum, the message, a checksum
                place += struct.unpack_from("<Q", content, place)[0] + 16
            if place != len(content):
                raise ValueError("it breaks off")
        case "report.html":
            if not path.read_text().rstrip().endswith("</html>"):
                raise ValueError("it breaks off")
        case "model.safetensors":
            content = path.read_bytes()
            (length,) = struct.unpack_from("<Q", content)
            header = json.loads(content[8 : 8 + length])
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            if len(content) != 8 + length + max(ends):
                raise ValueError("it breaks off")


def check_clean(run: pathlib.Path) -> None:
    """No half file, and nothing that is not yet in its place."""
    check_whole(run)
    if left := temporaries(run) + temporaries(run / "checkpoints"):
        raise Fault(f"{run} holds {left}")
