#!/usr/bin/env python3
"""Run the Python and JavaScript of a run's model card, as it stands there, and compare its logits with the model's.

    python check_snippets.py RUN_DIR REFERENCE.safetensors [NODE_MODULES]

REFERENCE holds `images` and `logits` of the run, as `taper reference` writes them. The JavaScript runs in node, with the
packages of NODE_MODULES; without that folder it is left out, which is told. The report has to show the same code. The exit
code is 0 if all is well, 1 if not.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

TOLERANCE = 1e-4


def snippet(card: str, tag: str) -> str:
    """The one block of code of that language."""
    blocks = re.findall(rf"^```{tag}\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"the model card has {len(blocks)} blocks of {tag}, not one"
    return blocks[0]


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The greatest distance of two arrays of one shape."""
    assert found.shape == expected.shape, f"{found.shape} logits instead of {expected.shape}"
    return float(np.abs(found - expected).max())


def python_logits(code: str, images: np.ndarray) -> np.ndarray:
    """What the Python computes; it finds `images` and looks for model.onnx where it runs."""
    names: dict = {"images": images}
    exec(compile(code, "model card", "exec"), names)  # noqa: S102 - that it runs is what is tested
    assert (names["classes"] == names["logits"].argmax(axis=1)).all()
    return names["logits"]


def javascript_logits(code: str, image: np.ndarray, modules: Path) -> np.ndarray:
    """What the JavaScript computes for one image. `pixels` stands before it, and after it a line prints the logits."""
    pixels = f"const pixels = new Float32Array({json.dumps(image.ravel().tolist())});\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "node_modules").symlink_to(modules)
        shutil.copy("model.onnx", folder)
        (folder / "card.mjs").write_text(pixels + code + "console.log(JSON.stringify(Array.from(logits.data)));\n")
        run = subprocess.run(["node", "card.mjs"], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return np.array([json.loads(run.stdout)], dtype=np.float32)


def main() -> int:
    """Runs all checks."""
    run, reference = Path(sys.argv[1]), load_file(sys.argv[2])
    modules = Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else None
    card = (run / "README.md").read_text(encoding="utf-8")
    page = html.unescape((run / "report.html").read_text(encoding="utf-8"))
    images, logits = reference["images"], reference["logits"]
    codes = {tag: snippet(card, tag) for tag in ("python", "js", "rust")}
    os.chdir(run)
    failed = 0
    for tag, code in codes.items():
        if f'<pre tabindex="0"><code>{code}</code></pre>' not in page:
            print(f"FAILED {tag}: the report shows other code than the model card", file=sys.stderr)
            failed += 1
    found = {"python": difference(python_logits(codes["python"], images), logits)}
    if modules:
        found["js"] = difference(javascript_logits(codes["js"], images[:1], modules), logits[:1])
    else:
        print("left out js: there are no packages for node")
    for tag, value in found.items():
        fits = value <= TOLERANCE
        print(f"{'ok' if fits else 'FAILED'} {tag}: logits within {value:.1e}")
        failed += not fits
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
