#!/usr/bin/env python3
"""Hold what docs/export.md says of the profiles against runtimes themselves.

    python targets.py FOLDER REFERENCE.safetensors

FOLDER holds one network as `taper export` writes it with a flag each, `FLAG.onnx`; `.ci/run` makes such a folder.
REFERENCE holds the network's images and logits. A file that has one feature has to answer rightly in every runtime of a
profile that is said to take the feature. What a runtime does with a feature that the profile refuses is printed: where it
is right by now, the table may be bolder. Each pair runs in a process of its own, since a runtime may crash. The exit code
is 0 if all claims hold, 1 if not, 2 for wrong usage.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
IMAGES = 20
SECONDS = 120

# The file that has each feature and nothing else, by the table's word for it.
FILES = {
    "float16 weights": "--half-weights",
    "float16": "--half",
    "uint8 input": "--uint8-input",
    "softmax": "--softmax",
    "argmax": "--argmax",
    "int8": "--int8",
    "external data": "--external-data",
}

# The runtimes here that a profile speaks for, with the module that each needs.
PROFILES = {
    "portable": ("onnxruntime", "openvino", "opencv", "ncnn"),
    "onnxruntime": ("onnxruntime",),
    "opencv": ("opencv",),
}
MODULES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "opencv": "cv2", "ncnn": "ncnn"}


def claims(text: str) -> dict[str, dict[str, bool]]:
    """For each profile, whether it takes each feature: the table of docs/export.md."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    start = next(place for place, row in enumerate(rows) if row[0] == "profile")
    head, table = rows[start], {}
    for row in rows[start + 2 :]:
        if not re.fullmatch(r"`[\w-]+`", row[0]) or len(row) != len(head):
            break
        cells = dict(zip(head, row, strict=True))
        table[row[0].strip("`")] = {feature: cells[feature] == "yes" for feature in FILES}
    return table


def answer(runtime: str, model: str, reference: str) -> None:
    """Run one file in one runtime and say nothing if it is right."""
    sys.path[:0] = [str(HERE), str(ROOT / ".ci/python")]
    import numpy as np
    import onnx
    from answer import RUNTIMES
    from check_export import read_reference
    from check_forms import given, judge

    images, logits = (numbers[:IMAGES] for numbers in read_reference(Path(reference))[1])
    proto = onnx.load(model, load_external_data=False)
    pixels = given(proto, images)
    network = RUNTIMES[runtime][0](Path(model), list(pixels.shape[1:]))
    step = 1 if runtime == "ncnn" else IMAGES
    found = [np.array(network(pixels[start : start + step])) for start in range(0, IMAGES, step)]
    judge(proto, np.concatenate(found), logits)


def outcome(runtime: str, model: Path, reference: Path) -> str:
    """Nothing if it is right, else what is wrong."""
    words = [sys.executable, "-B", __file__, "--answer", runtime, str(model.resolve()), str(reference.resolve())]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                words, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS, env=os.environ
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {SECONDS} s"
    lines = (done.stderr or done.stdout).strip().splitlines() or [""]
    return "" if done.returncode == 0 else lines[-1] or f"exit code {done.returncode}"


def compare(folder: Path, reference: Path, table: dict[str, dict[str, bool]]) -> int:
    """Print what each runtime does with each feature; the number of claims that do not hold."""
    wrong = tried = 0
    here = [runtime for runtime, module in MODULES.items() if importlib.util.find_spec(module)]
    for runtime in here:
        for feature, flag in FILES.items():
            said = outcome(runtime, folder / f"{flag}.onnx", reference)
            takes = [profile for profile, runtimes in PROFILES.items() if runtime in runtimes and table[profile][feature]]
            is_wrong = bool(said and takes)
            tried, wrong = tried + 1, wrong + is_wrong
            line = f"{runtime}, {feature}: {said or 'right'}"
            print(f"WRONG {line}; {' and '.join(takes)} should take it" if is_wrong else line, flush=True)
    print(f"{tried} files in {', '.join(here) or 'no runtime'}; {wrong} claims do not hold")
    return wrong if here else 1


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--answer"] and len(arguments) == 4:
        answer(*arguments[1:])
        return 0
    if len(arguments) != 2:
        print("usage: targets.py FOLDER REFERENCE.safetensors", file=sys.stderr)
        return 2
    folder, reference = map(Path, arguments)
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    return 1 if compare(folder, reference, claims(text)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
