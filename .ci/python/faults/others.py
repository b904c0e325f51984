"""Signals, clocks that jump, damaged checkpoints, changed data, a second process, and runs that are finished."""

import glob
import gzip
import json
import os
import pathlib
import random
import signal
import subprocess
import time

from limits import Skipped
from program import Fault, Program, check_clean, check_same, checkpoint_files, stop, wait

LIBFAKETIME = ["/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1"]


def signals(program: Program, whole: dict[str, bytes], chance: random.Random) -> str:
    """The program saves a checkpoint and ends with exit code 130; the run goes on from exactly there."""
    for number in [signal.SIGINT, signal.SIGTERM]:
        run = program.run(f"stopped-{number.name}")
        process = program.started_run(run.name)
        time.sleep(chance.uniform(0, 0.5))
        process.send_signal(number)
        program.ends(process, 130, "saving")
        check_clean(run)
        metrics = json.loads((run / "metrics.json").read_text())
        steps = (run / "history.csv").read_text().count("\n") - 1
        newest = checkpoint_files(run / "checkpoints")[-1]
        if not metrics["train"]["interrupted"] or int(newest.name.split("-")[1]) != steps:
            raise Fault(f"{run}: {newest.name} is not where the run stopped, after step {steps}")
        program.call(program.words(run, "--threads", "1"), 0, f"going on after step {steps} ")
        check_same(run, whole)
    return "SIGINT and SIGTERM save, exit 130; then the same bits"


def clock(program: Program, whole: dict[str, bytes], chance: random.Random) -> str:
    """The clock is set by years, back and forth, while the program runs."""
    found = [path for pattern in LIBFAKETIME for path in glob.glob(pattern)]
    if not found:
        raise Skipped("libfaketime is not installed (Debian's package `faketime`)")
    moment = program.folder / "moment"
    # Timings are taken from a clock that no one can set, which is left alone.
    fake = {
        "LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": str(moment),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    def jump() -> bool:
        new = moment.with_suffix(".new")
        new.write_text(f"{chance.randint(-30, 10):+}y\n")
        os.replace(new, moment)
        time.sleep(0.02)
        return False

    moment.write_text("-30y\n")
    year = int(subprocess.run(["date", "+%Y"], env=os.environ | fake, capture_output=True).stdout)
    if year >= time.gmtime().tm_year - 25:
        raise Fault(f"{found[0]} does not set the clock: it is {year}")
    run = program.run("jumping")
    process = program.start(program.words(run), env=fake)
    wait(process, lambda: jump() or len(checkpoint_files(run / "checkpoints")) > 1)
    stop(process)
    process = program.start(program.words(run), env=fake)
    wait(process, jump)
    program.ends(process, 0)
    check_same(run, whole)
    return "it jumps by up to 30 years every 20 ms, and between the parts of a run; the same bits"


def damaged(program: Program, whole: dict[str, bytes], chance: random.Random) -> str:
    """The newest checkpoint is damaged, or all are: a warning, and the run goes on from the one before, or anew."""

    def flip(content: bytes) -> bytes:
        place = chance.randrange(len(content))
        return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]

    def cut(content: bytes) -> bytes:
        return content[: chance.randrange(len(content))]

    for number, (all_of_them, manner) in enumerate([(False, flip), (False, cut), (True, flip)]):
        run = program.run(f"damaged-{number}")
        stop(program.started_run(run.name, checkpoints=2))
        files = checkpoint_files(run / "checkpoints")
        victims = files if all_of_them else files[-1:]
        for file in victims:
            file.write_bytes(manner(file.read_bytes()))
        warnings = [f"WARNING: passing over the checkpoint {file}" for file in victims]
        goes_on = [] if all_of_them else [f"from {files[-2]}"]
        program.call(program.words(run), 0, *warnings, *goes_on)
        check_same(run, whole)
    return "a flipped bit and a cut are told and passed over, in the newest and in all; the same bits"


def changed_data(program: Program, whole: dict[str, bytes]) -> str:
    """The data change between the parts of a run, and between a run and its evaluation."""
    run = program.run("changed")
    stop(program.started_run(run.name))
    other = program.folder / "other.toml"
    other.write_text("[data]\nsynthetic_seed = 1\n")
    refusal = [str(run / "checkpoints"), "`data.synthetic_seed` was", "train anew into another folder"]
    program.call(program.words(run, "--config", str(other)), 1, *refusal)
    program.call(program.words(run))
    check_same(run, whole)
    digits = mnist(program)
    if not digits:
        return "other digits are refused, with the same the same bits; MNIST is not here (TAPER_MNIST) to change a byte of"

    data = ("--dataset", "mnist", "--data-dir", str(digits))
    evaluate = [str(program.taper), "evaluate", str(run)]
    program.call([*evaluate, *data], 1, "was trained on synthetic data", "--data-dir")
    run = program.run("changed-mnist")
    process = program.start(program.words(run, data=data))
    wait(process, lambda: checkpoint_files(run / "checkpoints"))
    stop(process)
    for file, part in [("train-images-idx3-ubyte", "training images"), ("t10k-labels-idx1-ubyte", "test labels")]:
        with changed_byte(digits / file):
            program.call(program.words(run, data=data), 1, str(digits / file), part, "copy the files again")
    program.call(program.words(run, data=data))
    return "other digits, and one other byte of MNIST, are refused; with the same the same bits"


def mnist(program: Program) -> pathlib.Path | None:
    """A copy of MNIST's files, unpacked, if they are here."""
    folder = os.environ.get("TAPER_MNIST")
    if not folder:
        return None
    copy = program.folder / "mnist"
    copy.mkdir()
    for path in pathlib.Path(folder).glob("*-ubyte*"):
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
        with opened as file:
            (copy / path.name.removesuffix(".gz")).write_bytes(file.read())
    return copy


class changed_byte:
    """As a context, in which the last byte of a file is another."""

    def __init__(self, path: pathlib.Path):
        self.path, self.content = path, path.read_bytes()

    def __enter__(self) -> None:
        self.path.write_bytes(self.content[:-1] + bytes([self.content[-1] ^ 1]))

    def __exit__(self, *_) -> None:
        self.path.write_bytes(self.content)


def two_runs(program: Program, whole: dict[str, bytes]) -> str:
    """A second process is refused, and the first goes on as if nothing were."""
    run = program.run("shared")
    process = program.started_run(run.name)
    program.call(program.words(run), 1, f"another process writes into {run}", "--out")
    program.ends(process, 0)
    check_same(run, whole)
    return "the second is refused, the first goes on; the same bits"


def finished(program: Program, whole: dict[str, bytes]) -> str:
    """A finished run is left as it is, and only by those who ask for the run that it is."""
    run = program.run("whole")
    program.call(program.words(run), 0, "is finished; there is nothing to do")
    for flag, value, setting in [("--seed", "5", "train.seed"), ("--lr", "0.002", "train.learning_rate")]:
        program.call(program.words(run, flag, value), 1, str(run), f"`{setting}` was", "--out")
    check_same(run, whole)
    return "nothing to do; other settings are refused"
