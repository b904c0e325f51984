"""Trains on several processes under mpirun, and compares with one process bit for bit; kills, stops and upsets some of them.

    python3 ranks.py TAPER RANKS FOLDER

TAPER and the example RANKS are built with the feature `mpi`. Needs Open MPI, what requirements.txt lists, and Linux.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import image_folder

# Everything that draws at random or has a state, and a last batch of 8 images.
FLAGS = [
    "--dataset", "synthetic", "--limit", "608", "--epochs", "2", "--recipe", "best", "--ema-decay", "0.99", "--quiet",
    "--checkpoint-every", "2", "--threads", "1",
]
# Batch norm, on images in colour.
PIPELINE = ["--model", "residual", "--epochs", "2", "--batch-size", "18", "--lr", "0.005", "--quiet", "--threads", "1"]
TRAINED = ["model.safetensors", "history.csv", "events.out.tfevents.taper", "config.toml"]
EXPORTED = [*TRAINED, "model.onnx"]
# Processes that were asked to end have a second to do so, unless more is asked for: enough where nothing else runs.
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "odls_base_sigkill_timeout", "5"]
MPIRUN += ["--allow-run-as-root"] if os.geteuid() == 0 else []


def main(program: str, example: str, folder: pathlib.Path) -> None:
    """Runs all checks."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["TAPER_CACHE"] = str(folder / "cache")
    photos = folder / "photos"
    image_folder.make(photos)
    train = [program, "train", *FLAGS]

    call([*train, "--shards", "2", "--out", folder / "one"])
    whole = bits(folder / "one", TRAINED)
    call([*mpirun(2), *train, "--out", folder / "two"])
    same(folder / "two", TRAINED, whole, "2 processes")
    if (processes := metrics(folder / "two")["train"].get("processes")) != 2:
        raise SystemExit(f"metrics.json speaks of {processes} processes")

    # The checkpoint knows nothing of how many there were.
    for rank, resumed in (0, train + ["--shards", "2"]), (1, mpirun(2) + train):
        out = folder / f"killed-{rank}"
        killed(rank, 2, train, out)
        call([*resumed, "--resume", "--out", out])
        same(out, TRAINED, whole, f"process {rank} killed")
    long = changed(train, {"--epochs": "12"})
    call([*long, "--shards", "2", "--out", folder / "long"])
    stopped(long, folder / "stopped")
    call([*mpirun(2), *long, "--resume", "--out", folder / "stopped"])
    same(folder / "stopped", TRAINED, bits(folder / "long", TRAINED), "stopped by Ctrl-C")

    call([*train, "--shards", "4", "--out", folder / "four-shards"])
    call([*mpirun(4), *train, "--out", folder / "four"])
    same(folder / "four", TRAINED, bits(folder / "four-shards", TRAINED), "4 processes")
    killed(0, 4, train, folder / "killed-early", early=True)

    pipeline = [program, "pipeline", *PIPELINE]
    shared = [*pipeline, "--data-dir", photos]
    call([*shared, "--shards", "2", "--out", folder / "photos-one"])
    call([*mpirun(2), *shared, "--out", folder / "photos-two"])
    same(folder / "photos-two", EXPORTED, bits(folder / "photos-one", EXPORTED), "the pipeline with batch norm")
    panicked(example)
    refusals(program, train, pipeline, folder)


def mpirun(processes: int) -> list[str]:
    """What starts so many processes."""
    return [*MPIRUN, "-n", str(processes)]


def changed(words: list, values: dict[str, str]) -> list:
    """The command with other values of flags."""
    before = [None, *words[:-1]]
    return [values.get(flag, word) for flag, word in zip(before, words)]


def bits(run: pathlib.Path, names: list[str]) -> list[bytes]:
    """The files of a run that do not depend on time."""
    return [(run / name).read_bytes() for name in names]


def metrics(run: pathlib.Path) -> dict:
    """The metrics of a run."""
    return json.loads((run / "metrics.json").read_text())


def call(words: list) -> None:
    """Runs a command that must succeed."""
    print("+", *words, flush=True)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=300)


def same(run: pathlib.Path, names: list[str], expected: list[bytes], what: str) -> None:
    """Proves that a run gave the bits that were expected."""
    differ = [name for name, found, wanted in zip(names, bits(run, names), expected) if found != wanted]
    if differ:
        raise SystemExit(f"{what}: other bits in {', '.join(differ)}")
    print(f"{what}: the same {', '.join(names)}", flush=True)


def start(processes: int, words: list, out: pathlib.Path, until) -> subprocess.Popen:
    """Starts a run, and comes back when it is as far as is wanted. What it says goes into a file."""
    words = [*mpirun(processes), *map(str, words), "--out", str(out)]
    print("+", *words, flush=True)
    with log(out).open("w") as said:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said)
    try:
        wait("the middle of the run", 300, lambda: until() or process.poll() is not None)
    except BaseException:
        end(process, processes, out)
        raise
    return process


def log(out: pathlib.Path) -> pathlib.Path:
    """Where it stands what a run has said."""
    return out.with_suffix(".log")


def end(process: subprocess.Popen, processes: int, out: pathlib.Path) -> str:
    """Waits for the end of a run and of all its processes, and gives what was said. Nothing is left running."""
    def left() -> list[int]:
        return [pid for rank in range(processes) if (pid := find(rank, out)) is not None]

    try:
        process.wait(60)
        wait("the end of all processes", 60, lambda: not left())
    finally:
        process.kill()
        for pid in left():
            signals(pid, signal.SIGKILL)
    return log(out).read_text()


def checkpoints(out: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoints of a run."""
    return list((out / "checkpoints").glob("step-*.safetensors"))


def killed(rank: int, processes: int, train: list, out: pathlib.Path, early: bool = False) -> None:
    """Kills a process in the middle, or before there is a checkpoint. The others must end too and leave no half run, and one of
    them must say what to do.
    """
    if early:
        # An epoch, at whose end there would be one, takes seconds.
        loud = changed(train, {"--checkpoint-every": "100000", "--limit": "20000"})
        loud.remove("--quiet")
        process = start(processes, loud, out, lambda: "training:" in log(out).read_text())
        time.sleep(0.5)
        what_now = "there was no checkpoint yet"
    else:
        process = start(processes, train, out, lambda: len(checkpoints(out)) > 1)
        what_now = f"the newest checkpoint is in {out / 'checkpoints'}: the same command with --resume"
    pid = find(rank, out)
    if pid is None or not signals(pid, signal.SIGKILL):
        raise SystemExit(f"process {rank} had ended before it could be killed: {end(process, processes, out)}")
    said = end(process, processes, out)
    print(f"process {rank} of {processes} was killed\n{said}", flush=True)
    if process.returncode == 0:
        raise SystemExit(f"mpirun says that all is well after process {rank} was killed")
    if (out / "metrics.json").exists() or (out / "model.safetensors").exists():
        raise SystemExit(f"{out} holds a run although process {rank} was killed")
    if bool(checkpoints(out)) == early:
        raise SystemExit(f"{out} holds {len(checkpoints(out))} checkpoints")
    if said.count("another process of this run has ended") != 1 or what_now not in said:
        raise SystemExit(f"it should have been said, and once, that {what_now}")


def stopped(train: list, out: pathlib.Path) -> None:
    """Ctrl-C ends a run with a checkpoint, and no error. (The processes end with 130; mpirun makes a 1 of it.)"""
    process = start(2, train, out, lambda: checkpoints(out))
    process.send_signal(signal.SIGINT)
    said = end(process, 2, out)
    print(f"stopped by Ctrl-C, with {process.returncode}\n{said}", flush=True)
    if process.returncode == 0 or not checkpoints(out) or "error" in said:
        raise SystemExit("Ctrl-C should end it with a checkpoint")
    if not metrics(out)["train"]["interrupted"]:
        raise SystemExit(f"{out} does not say that it was interrupted")


def panicked(example: str) -> None:
    """A process that panics does not let the others wait for it."""
    words = [*mpirun(2), example]
    greeted = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if greeted.returncode != 0 or greeted.stdout.count("hello from rank 1") != 2:
        raise SystemExit(f"{words}: {greeted}")
    ended = subprocess.run([*words, "panic"], capture_output=True, text=True, timeout=60)
    if ended.returncode != 101 or "as it was asked to" not in ended.stderr:
        raise SystemExit(f"{words} panic: {ended}")
    print("a panic ends all processes", flush=True)


def find(rank: int, out: pathlib.Path) -> int | None:
    """The number of the process of that rank that trains into a folder."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            variables = (entry / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if str(out).encode() in words and f"OMPI_COMM_WORLD_RANK={rank}".encode() in variables:
            return int(entry.name)
    return None


def signals(pid: int, number: int) -> bool:
    """Sends a signal to a process, if it is still there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def wait(what: str, most: float, is_there) -> None:
    """Waits until something is there."""
    end = time.monotonic() + most
    while not is_there():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {most} seconds")
        time.sleep(0.02)


def refusals(program: str, train: list, pipeline: list, folder: pathlib.Path) -> None:
    """What cannot be shared must be refused in a sentence."""
    out, photos, other = folder / "refused", folder / "photos", folder / "other-photos"
    shutil.copytree(photos, other)
    (other / "train" / "disc" / "000.jpg").write_bytes((other / "train" / "disc" / "001.jpg").read_bytes())
    first, second = [*MPIRUN, "-n", "1"], [":", "-n", "1"]
    cases = [
        ([*mpirun(2), *train, "--out", out, "--shards", "3"], "3 shards of a batch cannot be dealt evenly to 2 ranks"),
        ([*first, *train, "--out", out, *second, *train, "--seed", "7"], "`train.seed` is 0 in process 0 and 7"),
        ([*first, *pipeline, "--data-dir", photos, "--out", out, *second, *pipeline, "--data-dir", other], "`the data's SHA-256` is"),
        ([*mpirun(2), program, "summary"], "only `train` and `pipeline` can be shared by 2 processes"),
    ]
    for words, expected in cases:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if ended.returncode == 0 or expected not in ended.stderr or "panicked" in ended.stderr:
            raise SystemExit(f"{words} should be refused with “{expected}”: {ended.returncode}\n{ended.stderr}")
        if (out / "metrics.json").exists():
            raise SystemExit(f"{words} left a run")
        print(f"refused: {expected}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve())
