"""The report: tables of figures, from what was measured and nothing else."""

import datetime
import statistics
from collections.abc import Iterable

from cases import PYTORCH, TAPER, Case

PYTORCH_KINDS = [*PYTORCH, "pytorch-compile"]
Results = dict[str, list[dict]]
Measured = list[tuple[Case, Results]]

NAMES = {
    "taper": "Taper",
    "taper-layers": "Taper's layers, candle's autograd",
    "pytorch": "PyTorch",
    "pytorch-channels-last": "PyTorch, channels_last",
    "pytorch-compile": "PyTorch, torch.compile",
    "onnxruntime": "ONNX Runtime",
    "rten": "rten",
    "tract": "tract",
    "candle": "candle",
}
# Whose version a contender's is, where that is not its own name.
LIBRARIES = {"pytorch-channels-last": "PyTorch", "pytorch-compile": "PyTorch", "taper-layers": "candle"}
NOTE = """\
`{command}` wrote this file.
Each measurement is a process of its own; contenders take turns, in another order each round. A figure is the median over the rounds, with the best in brackets. The work is the same for all: the same
network file, f32, the same images, batches made within the timed step. Weights are drawn as PyTorch draws them, and
trained with Adam at 10⁻³ where no other rate is named; inference is with the weights that Taper has after 600 such steps. Memory is the most that the process held.
"""


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def values(results: list[dict], key: str) -> list[float]:
    """The measured values; empty if one failed."""
    if any("error" in result for result in results):
        return []
    return [result[key] for result in results if key in result]


def median(results: list[dict], key: str) -> float | None:
    """The median over the rounds."""
    found = values(results, key)
    return statistics.median(found) if found else None


def number(value: float) -> str:
    """About three digits: `9,412`, `41.3`, `0.512`."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def figure(results: list[dict], key: str, best=max) -> str:
    """`median (best)`, or a dash."""
    found = values(results, key)
    if not found:
        return "–"
    if len(found) == 1:
        return number(found[0])
    return f"{number(statistics.median(found))} ({number(best(found))})"


def ratio(value: float | None, other: float | None) -> str:
    """How many times `other` goes into `value`."""
    return f"{value / other:.2f}×" if value and other else "–"


def order(measured: Measured) -> list[str]:
    """The contenders of some cases, Taper first."""
    present = {name for _, results in measured for name in results}
    return [name for name in NAMES if name in present]


def training(measured: Measured) -> str:
    """One row a contender."""
    text = ""
    for case, results in measured:
        text += f"\n{case.name}: batch {case.batch}, threads {case.threads}, rounds {case.rounds}, up to {case.steps} "
        text += f"steps, none of which begins after {case.seconds:.0f} s. The loss is the mean over the last tenth of the "
        text += "steps that there were; who makes more of them has a lower one.\n\n"
        pytorch = best_of(results, "images_per_second", PYTORCH_KINDS)
        rows = []
        for name in order([(case, results)]):
            found = results[name]
            cells = [figure(found, "images_per_second"), figure(found, "step_ms_median", min)]
            steps = median(found, "steps")
            cells += [f"{steps:,.0f}" if steps else "–"]
            cells += [figure(found, "loss", min), figure(found, "peak_memory_mib", min)]
            rows.append([NAMES[name], *cells, ratio(median(found, "images_per_second"), pytorch)])
        head = ["", "images/s", "ms a step", "steps", "loss", "peak memory, MiB", "speed, the best PyTorch = 1"]
        text += table(head, rows)
    return text


def best_of(results: Results, key: str, names: list[str], best=max) -> float | None:
    """The best median of some contenders, if one of them ran."""
    medians = [median(results.get(name, []), key) for name in names]
    return best([value for value in medians if value], default=None)


def grid(measured: Measured, key: str, best) -> str:
    """One row a case, one column a contender; the last compare Taper with the best of PyTorch, and of all others."""
    names = order(measured)
    rivals = {"Taper against the best PyTorch": [name for name in names if name in PYTORCH_KINDS]}
    others = [name for name in names if name != TAPER]
    if others != rivals["Taper against the best PyTorch"]:
        rivals["against the best of all"] = others
    rows = []
    for case, results in measured:
        taper = median(results.get(TAPER, []), key)
        known = [best_of(results, key, group, best) for group in rivals.values()]
        compared = [ratio(taper, rival) if best is max else ratio(rival, taper) for rival in known]
        rows.append([case.name, *(figure(results.get(name, []), key, best) for name in names), *compared])
    return "\n" + table(["", *(NAMES[name] for name in names), *rivals], rows)


def failures(measured: Measured) -> str:
    """What did not run, in the words of the program that failed; cases where it said the same on one line."""
    cases: dict[tuple[str, str], list[str]] = {}
    for case, results in measured:
        for name, found in results.items():
            for result in found:
                if "error" in result:
                    cases.setdefault((NAMES[name], result["error"]), []).append(f"{case.section}, {case.name}")
    lines = [f"- {name}: {error} ({'; '.join(where)})\n" for (name, error), where in cases.items()]
    return "\n## What did not run\n\n" + "".join(lines) if lines else ""


def versions(measured: Measured) -> list[tuple[str, str]]:
    """The version that each contender says it is."""
    found = {}
    for _, results in measured:
        for name, outcomes in results.items():
            for result in outcomes:
                if "version" in result:
                    found[LIBRARIES.get(name, NAMES[name])] = result["version"]
    return sorted(found.items())


def write(measured: Measured, machine: list[tuple[str, str]], date: datetime.date, command: str) -> str:
    """The whole report."""
    of = {case.section: [entry for entry in measured if entry[0].section == case.section] for case, _ in measured}
    text = f"# Performance\n\n{NOTE.format(command=command)}\n"
    text += table(["", ""], ([name, value] for name, value in [("Date", str(date)), *machine, *versions(measured)]))
    if "training" in of:
        text += "\n## Training\n" + training(of["training"])
    if "inference" in of:
        text += "\n## Inference\n\nThe reference CNN, images a second; each batch is made, then run.\n"
        text += grid(of["inference"], "images_per_second", max)
        latency = [entry for entry in of["inference"] if entry[0].batch == 1]
        text += "\nMilliseconds from one image to its answer:\n"
        text += grid(latency, "step_ms_median", min)
        text += "\nPeak memory of the process, MiB:\n"
        text += grid(of["inference"], "peak_memory_mib", min)
    if "start-up" in of:
        text += "\n## Start-up\n\nSeconds from the start of the process to its end, with one image classified. "
        text += "All read a file with the weights.\n"
        text += grid(of["start-up"], "process_seconds", min)
        text += "\nPeak memory of that process, MiB:\n"
        text += grid(of["start-up"], "peak_memory_mib", min)
    if "scaling" in of:
        text += "\n## Scaling\n\nTraining, images a second. The reference CNN where no other network is named.\n"
        text += grid(of["scaling"], "images_per_second", max)
    return text + failures(measured)
