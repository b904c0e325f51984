#!/usr/bin/env python3
"""Time Taper and its peers in turn, on the same network and the same images, and write a report.

    python compare.py --taper-bench target/release/taper-bench --data-dir MNIST --work target/peers

`cargo xtask peers` calls this. Each measurement is a process of its own, so that memory and threads are its own.
"""

import argparse
import datetime
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import images
import machine
import networks
import report
from cases import ENGINES, SECTIONS, TAPER, TRACT, Case, select

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TIMEOUT = 1800  # seconds, for one process; torch.compile takes a minute or two


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="cargo xtask peers", description="Time Taper and its peers in turn.")
    parser.add_argument("--taper-bench", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tract-bench", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tract-missing", default="it was not built", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with MNIST's IDX files")
    parser.add_argument("--only", choices=SECTIONS, help="measure this alone")
    parser.add_argument("--quick", action="store_true", help="few steps and one round: does it run?")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="default: the cores")
    parser.add_argument("--out", type=Path, help="the report; default: docs/performance.md for a full run")
    return parser.parse_args()


def command(case: Case, contender: str, options: argparse.Namespace) -> list[str]:
    """The program that makes one measurement."""
    if contender == TAPER:
        start = [str(options.taper_bench), case.kind]
    elif contender in ENGINES:
        start = [str(options.taper_bench), case.kind, "--engine", contender]
    elif contender == TRACT:
        start = [str(options.tract_bench), case.kind]
    else:
        start = [sys.executable, str(HERE / "measure.py"), case.kind, "--runtime", contender]
    settings = {
        "network": options.work / "networks" / f"{case.network}.toml",
        "data": options.work / "images",
        "batch": case.batch,
        "threads": case.threads,
        "steps": case.steps,
        "seconds": case.seconds,
    }
    # tract-bench does not train, and knows no rate.
    settings |= {"rate": case.rate} if case.kind == "train" else {}
    return start + [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def environment(threads: int) -> dict[str, str]:
    """The environment with the number of threads, for libraries that read it there before anything can tell them."""
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "RTEN_NUM_THREADS"]
    return os.environ | {name: str(threads) for name in names}


def measure(words: list[str], threads: int) -> dict:
    """Run the program: its JSON, and its time and memory as the system counts them; or `error`."""
    with tempfile.TemporaryDirectory() as folder:
        took, out, err = (Path(folder) / name for name in ("took", "out", "err"))
        launcher = [sys.executable, "-S", "-E", str(HERE / "launch.py"), str(took)]
        with out.open("wb") as to, err.open("wb") as complaints:
            process = subprocess.Popen(
                launcher + words,
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=complaints,
                env=environment(threads),
                start_new_session=True,
            )
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return {"error": f"it had not ended after {TIMEOUT} seconds"}
        answer = out.read_text(errors="replace").strip().splitlines()
        said = [line for line in err.read_text(errors="replace").splitlines() if line.strip()]
        if not took.exists():
            return {"error": said[-1] if said else "it could not be started"}
        seconds, memory, code = (float(word) for word in took.read_text().split())
    if code != 0 or not answer:
        return {"error": said[-1] if said else f"exit code {code:.0f}, and nothing said"}
    try:
        result = json.loads(answer[-1])
    except json.JSONDecodeError:
        return {"error": f"its answer is no JSON: {answer[-1][:200]}"}
    # Linux counts in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return result | {"process_seconds": seconds, "peak_memory_mib": memory / unit}


def in_turn(case: Case, options: argparse.Namespace) -> dict[str, list[dict]]:
    """All rounds of a case: A, B, C, then B, C, A, … so that nobody always comes first."""
    ours = [TAPER, *ENGINES]
    contenders = [name for name in case.contenders if name not in ours or options.taper_bench]
    found: dict[str, list[dict]] = {name: [] for name in contenders}
    if TRACT in found and not options.tract_bench:
        found[TRACT].append({"error": options.tract_missing})
    for number in range(case.rounds):
        first = number % len(contenders)
        for name in contenders[first:] + contenders[:first]:
            if any("error" in result for result in found[name]):
                continue
            result = measure(command(case, name, options), case.threads)
            found[name].append(result)
            shown = result.get("error") or f"{result['images_per_second']:,.0f} images/s"
            print(f"{case.section}: {case.name}, round {number + 1}: {name}: {shown}", file=sys.stderr, flush=True)
    return found


def called(options: argparse.Namespace) -> str:
    """The command that makes this report again."""
    words = ["cargo", "xtask", "peers", "--data-dir", "MNIST", "--threads", str(options.threads)]
    words += ["--only", options.only] if options.only else []
    return shlex.join(words + (["--quick"] if options.quick else []))


def train(options: argparse.Namespace) -> None:
    """Train the reference CNN for all who will be timed in inference: an activation of a trained network is 0 more often
    than that of a random one, and who makes use of that should show what its users will see."""
    case = Case("inference", "weights", "train", "tutorial", 100, options.threads, (), 20 if options.quick else 600, 0, 1)
    weights = options.work / "networks" / f"{case.network}.safetensors"
    subprocess.run([*command(case, TAPER, options), "--save", str(weights)], check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Measure everything that is asked for, and report."""
    options = arguments()
    # Before the measurements, in which somebody may go on with the work.
    here = machine.describe(ROOT)
    networks.write(options.work / "networks", ROOT / "crates" / "taper-graph" / "presets")
    chosen = select(options.only, options.threads, options.quick)
    images.unpack(options.data_dir, options.work / "images")
    if options.taper_bench and any(case.kind == "infer" for case in chosen):
        train(options)
    with_file = [case for case in chosen if "onnxruntime" in case.contenders]
    if with_file:
        files = sorted({str(options.work / "networks" / f"{case.network}.toml") for case in with_file})
        subprocess.run([sys.executable, str(HERE / "onnx_model.py"), *files], check=True)

    measured = []
    for case in chosen:
        measured.append((case, in_turn(case, options)))
        raw = [{"case": vars(case), "results": results} for case, results in measured]
        (options.work / "results.json").write_text(json.dumps(raw, indent=1), encoding="utf-8")

    whole = options.taper_bench and not options.only and not options.quick
    out = options.out or (ROOT / "docs" / "performance.md" if whole else options.work / "performance.md")
    text = report.write(measured, here, datetime.date.today(), called(options))
    out.write_text(text, encoding="utf-8")
    print(out)
    # A peer that cannot run here is told in the report; without Taper there is none worth the name.
    return 1 if any("error" in result for _, found in measured for result in found.get(TAPER, [])) else 0


if __name__ == "__main__":
    sys.exit(main())
