"""Trains Taper's recipes over several seeds and writes what they reach on the test images as a Markdown table.

    python3 .ci/python/accuracy.py --data-dir MNIST --work FOLDER --out docs/accuracy-table.md

Every run is kept in FOLDER; one that was interrupted goes on, and one that is finished is not repeated. Needs no packages.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# Recipe and epochs, and the mean test accuracy in percent that a row must reach.
ROWS = [("fast", 1), ("tutorial", 5), ("best", 5), ("tutorial", 20), ("best", 20)]
LEAST = {("fast", 1): 98.9, ("tutorial", 5): 99.0, ("best", 5): 99.4, ("tutorial", 20): 99.0, ("best", 20): 99.5}

HEADER = """\
| recipe | epochs | test accuracy, % | lowest, highest | shifted, % | validation, % | training, s |
| --- | --- | --- | --- | --- | --- | --- |
"""


def run(taper, arguments):
    """What the program prints as JSON."""
    printed = subprocess.run([*taper, *arguments, "--json", "--quiet"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(printed)


def figures(metrics):
    """What counts of a run."""
    return {
        "test": 100 * metrics["test"]["accuracy"],
        "shifted": 100 * metrics["test_shifted"]["accuracy"],
        "validation": 100 * metrics["train"]["validation_accuracy"],
        "seconds": metrics["train"]["seconds"],
        "how": f"Taper {metrics['taper_version']}, {metrics['train']['instruction_set']}, {metrics['train']['threads']} threads",
    }


def one_run(taper, data, folder, recipe, epochs, seed):
    """Trains and scores, unless that was done."""
    flags = ["--recipe", recipe, "--epochs", str(epochs), "--seed", str(seed), "--data-dir", str(data)]
    run(taper, ["train", "--out", str(folder), "--resume", *flags])
    metrics = json.loads((folder / "metrics.json").read_text())
    if "test_shifted" not in metrics:
        run(taper, ["evaluate", str(folder), "--tta"])
        metrics = json.loads((folder / "metrics.json").read_text())
    return figures(metrics)


def mean_and_spread(values):
    """`99.18 ± 0.06`; the spread is the sample's standard deviation."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2f} ± {spread:.2f}"


def row(recipe, epochs, runs):
    """A row of the table."""
    of = {name: [one[name] for one in runs] for name in runs[0]}
    cells = [
        f"`{recipe}`",
        str(epochs),
        mean_and_spread(of["test"]),
        f"{min(of['test']):.2f}, {max(of['test']):.2f}",
        mean_and_spread(of["shifted"]),
        mean_and_spread(of["validation"]),
        f"{statistics.median(of['seconds']):.1f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def wanted(text):
    """`best:5` as recipe and epochs."""
    recipe, _, epochs = text.partition(":")
    return recipe, int(epochs)


def main(arguments):
    """Runs all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=pathlib.Path, required=True, help="folder with MNIST's files")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the runs")
    parser.add_argument("--out", type=pathlib.Path, help="where the table goes, as well as to standard output")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--taper", nargs="+", default=["cargo", "xtask"], help="the program")
    parser.add_argument("--rows", nargs="+", type=wanted, default=ROWS, metavar="RECIPE:EPOCHS")
    options = parser.parse_args(arguments)
    table, how, low = HEADER, set(), []
    for recipe, epochs in options.rows:
        runs = []
        for seed in range(options.seeds):
            folder = options.work / f"{recipe}-{epochs}-{seed}"
            runs.append(one_run(options.taper, options.data_dir, folder, recipe, epochs, seed))
            print(f"{recipe}, {epochs} epochs, seed {seed}: {runs[-1]}", file=sys.stderr, flush=True)
        table += row(recipe, epochs, runs)
        how |= {one["how"] for one in runs}
        mean = statistics.mean(one["test"] for one in runs)
        if mean < LEAST.get((recipe, epochs), 0):
            low.append(f"{recipe}, {epochs} epochs: {mean:.2f} %, and it should be {LEAST[recipe, epochs]} % or more")
    seeds = f"{options.seeds} seeds" if options.seeds > 1 else "one seed"
    text = f"{table}\nMean and standard deviation over {seeds}; seconds are the median. {'; '.join(sorted(how))}.\n"
    print(text)
    if options.out:
        options.out.write_text(text)
    if low:
        raise SystemExit("\n".join(low))


if __name__ == "__main__":
    main(sys.argv[1:])
