"""Times training on one and two processes, and writes the tables of docs/scaling.md.

    python3 scaling.py TAPER DATA-DIR [ROUNDS]

TAPER is built with `--release --features mpi`, DATA-DIR holds MNIST. The settings are run in turn, ROUNDS times (3), on a
machine that does nothing else. Needs Open MPI and no packages.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

FLAGS = ["--epochs", "1", "--limit", "10000", "--quiet"]
MPIRUN = ["mpirun", "--bind-to", "none"] + (["--allow-run-as-root"] if os.geteuid() == 0 else [])

# Open MPI: a process that waits lets others have its core. By default it spins.
YIELDS = ("--mca", "mpi_yield_when_idle", "1")

# Name, processes, threads of each, batch, shards, flags of mpirun.
STRONG = [
    ("1 process, 1 thread", 1, 1, 100, 1, ()),
    ("1 process, 2 threads", 1, 2, 100, 1, ()),
    ("1 process, 1 thread, 2 shards", 1, 1, 100, 2, ()),
    ("1 process, 2 threads, 2 shards", 1, 2, 100, 2, ()),
    ("2 processes, 1 thread each", 2, 1, 100, 2, ()),
    ("2 processes, 1 thread each, waiting ones yield", 2, 1, 100, 2, YIELDS),
]
WEAK = [
    ("1 process, 1 thread, batch 100", 1, 1, 100, 1, ()),
    ("2 processes, 1 thread each, batch 200", 2, 1, 200, 2, ()),
    ("2 processes, 1 thread each, batch 200, waiting ones yield", 2, 1, 200, 2, YIELDS),
]

# Of the reference CNN: trainable parameters of its linear layers and of what stands before them, as `taper summary` has them.
TAIL, REST = 1_286_885, 92_672
# The share of a step that is the backward pass of what stands before the linear layers, by the processor time of one thread.
BEHIND = 0.30
# A message on Ethernet between machines of one rack, through the kernel's TCP.
LATENCY = 20e-6


def train(program: str, data: str, out: pathlib.Path, setting: tuple) -> dict:
    """The metrics of a run."""
    _, processes, threads, batch, shards, flags = setting
    words = [
        program, "train", *FLAGS, "--data-dir", data, "--threads", str(threads), "--batch-size", str(batch),
        "--shards", str(shards), "--out", str(out),
    ]
    if processes > 1:
        words = [*MPIRUN, *flags, "-n", str(processes), *words]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "metrics.json").read_text())["train"]


def table(settings: list, found: dict) -> list[str]:
    """Rows of Markdown: speed beside the first row's, and the share of time in the exchange."""
    lines = ["| | images/s | beside the first | in the exchange |", "| --- | --- | --- | --- |"]
    first = statistics.median(run["images_per_second"] for run in found[settings[0]])
    for setting in settings:
        speed = statistics.median(run["images_per_second"] for run in found[setting])
        shares = [run["exchange_seconds"] / run["seconds"] for run in found[setting] if "exchange_seconds" in run]
        share = f"{100 * statistics.median(shares):.1f} %" if shares else ""
        lines.append(f"| {setting[0]} | {speed:,.0f} | {speed / first:.2f} | {share} |")
    return lines


def exchange(parameters: int, ranks: int, bits: float) -> float:
    """Seconds in which `ranks` machines add up their gradients, with so many bits a second."""
    return 2 * 4 * parameters * (ranks - 1) / ranks * 8 / bits + 2 * (ranks - 1) * LATENCY


def predicted(step: float) -> list[str]:
    """Rows of Markdown: what 64 machines should do, of which each takes `step` seconds for its share of a batch."""
    head = "".join(f" {name}: exchange, ms | waited for, ms | efficiency |" for name in ("10 Gb/s", "100 Gb/s"))
    lines = [f"| machines |{head}", "| --- | --- | --- | --- | --- | --- | --- |"]
    for ranks in 2, 8, 16, 64:
        cells = []
        for bits in 10e9, 100e9:
            tail, rest = exchange(TAIL, ranks, bits), exchange(REST, ranks, bits)
            waited = max(0, tail - BEHIND * step) + rest
            cells += [f"{1e3 * (tail + rest):.1f}", f"{1e3 * waited:.1f}", f"{100 * step / (step + waited):.0f} %"]
        lines.append(f"| {ranks} | {' | '.join(cells)} |")
    return lines


def main(program: str, data: str, rounds: int) -> None:
    """Times everything, in turn."""
    settings = list(dict.fromkeys(STRONG + WEAK))
    found: dict = {setting: [] for setting in settings}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for setting in settings:
                found[setting].append(train(program, data, pathlib.Path(folder) / "run", setting))
    print("Strong scaling: batch 100, whoever runs it.\n", *table(STRONG, found), sep="\n")
    print("\nWeak scaling: 100 images a process.\n", *table(WEAK, found), sep="\n")
    two_threads = statistics.median(run["images_per_second"] for run in found[STRONG[1]])
    step = 100 / two_threads
    print(f"\nPredicted, with {1e3 * step:.1f} ms for 100 images on a machine (1 process, 2 threads above).\n")
    print(*predicted(step), sep="\n")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 3)
