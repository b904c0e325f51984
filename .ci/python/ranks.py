"""Trains on several processes under mpirun, and compares with one process bit for bit; kills one of them in the middle.

    python3 ranks.py TAPER FOLDER

TAPER is built with the feature `mpi`. Needs Open MPI, no packages, and Linux.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

# Everything that draws at random or has a state, and a last batch of 8 images.
FLAGS = [
    "--dataset", "synthetic", "--limit", "608", "--epochs", "2", "--recipe", "best", "--ema-decay", "0.99", "--quiet",
    "--checkpoint-every", "2", "--threads", "1",
]
FILES = ["model.safetensors", "history.csv", "events.out.tfevents.taper", "config.toml"]
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none"] + (["--allow-run-as-root"] if os.geteuid() == 0 else [])


def main(program: str, folder: pathlib.Path) -> None:
    """Runs all checks."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    train = [program, "train", *FLAGS]
    call([*train, "--shards", "2", "--out", folder / "one"])
    whole = bits(folder / "one")
    call([*MPIRUN, "-n", "2", *train, "--out", folder / "two"])
    same(folder / "two", whole, "2 processes")
    if (processes := metrics(folder / "two")["train"].get("processes")) != 2:
        raise SystemExit(f"metrics.json speaks of {processes} processes")
    for rank in 0, 1:
        killed(rank, train, folder / f"killed-{rank}")
        # By one process, as a check that the checkpoint knows nothing of how many there were.
        call([*train, "--shards", "2", "--resume", "--out", folder / f"killed-{rank}"])
        same(folder / f"killed-{rank}", whole, f"process {rank} killed")
    refusals(program, train, folder / "refused")


def bits(run: pathlib.Path) -> list[bytes]:
    """The files of a run that do not depend on time."""
    return [(run / name).read_bytes() for name in FILES]


def metrics(run: pathlib.Path) -> dict:
    """The metrics of a run."""
    return json.loads((run / "metrics.json").read_text())


def call(words: list) -> None:
    """Runs a command that must succeed."""
    print("+", *words, flush=True)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def same(run: pathlib.Path, expected: list[bytes], what: str) -> None:
    """Proves that a run gave the bits that were expected."""
    differ = [name for name, found, wanted in zip(FILES, bits(run), expected) if found != wanted]
    if differ:
        raise SystemExit(f"{what}: other bits in {', '.join(differ)}")
    print(f"{what}: the same {', '.join(FILES)}", flush=True)


def killed(rank: int, train: list, run: pathlib.Path) -> None:
    """Kills a process in the middle; the others must end too, and leave a checkpoint and no half run."""
    words = [*MPIRUN, "-n", "2", *map(str, train), "--out", str(run)]
    print("+", *words, f"   # process {rank} is killed", flush=True)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    checkpoints = run / "checkpoints"
    wait("a checkpoint", lambda: len(list(checkpoints.glob("step-*.safetensors"))) > 1)
    os.kill(find(rank, str(run)), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    if process.returncode == 0:
        raise SystemExit(f"mpirun says that all is well after process {rank} was killed")
    wait("the end of all processes", lambda: find(0, str(run)) is None and find(1, str(run)) is None)
    if (run / "metrics.json").exists() or (run / "model.safetensors").exists():
        raise SystemExit(f"{run} holds a run although process {rank} was killed")
    if not any(checkpoints.glob("step-*.safetensors")):
        raise SystemExit(f"{checkpoints} holds no checkpoint")
    print(said, flush=True)
    # Process 0 itself cannot say it.
    if rank != 0 and not (str(checkpoints) in said and "--resume" in said):
        raise SystemExit("nothing was said of where the checkpoint is")


def find(rank: int, run: str) -> int | None:
    """The number of the process of that rank that trains into a folder."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            variables = (entry / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if run.encode() in words and f"OMPI_COMM_WORLD_RANK={rank}".encode() in variables:
            return int(entry.name)
    return None


def wait(what: str, is_there) -> None:
    """Waits until something is there."""
    end = time.monotonic() + 300
    while not is_there():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within five minutes")
        time.sleep(0.02)


def refusals(program: str, train: list, out: pathlib.Path) -> None:
    """What cannot be shared must be refused in a sentence."""
    two = [*MPIRUN, "-n", "2"]
    cases = [
        ([*two, *train, "--out", out, "--shards", "3"], "3 shards of a batch cannot be dealt evenly to 2 ranks"),
        # Another seed in the second process.
        ([*MPIRUN, "-n", "1", *train, "--out", out, ":", "-n", "1", *train, "--seed", "7"], "`train.seed` is 0 in process 0 and 7"),
        ([*two, program, "summary"], "only `train` and `pipeline` can be shared by 2 processes"),
    ]
    for words, expected in cases:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if ended.returncode == 0 or expected not in ended.stderr or "panicked" in ended.stderr:
            raise SystemExit(f"{words} should be refused with “{expected}”: {ended.returncode}\n{ended.stderr}")
        if (out / "metrics.json").exists():
            raise SystemExit(f"{words} left a run")
        print(f"refused: {expected}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]).resolve())
