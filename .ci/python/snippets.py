"""Runs the examples of Markdown files, each in a process of its own, in a copy of a run's folder.

    python3 .ci/python/snippets.py [--all] RUN MODULES FILE.md...

Blocks marked `python` run in this Python, blocks marked `js` in Node with the packages of the folder MODULES. One that needs Node, or
a large package of OPTIONAL, is left out where that is not there, which is told; with `--all` that is a failure, too. The
exit code is 0 if the others ran, 1 if not, 2 for wrong usage.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Packages that not every environment of the checks has.
OPTIONAL = {"cv2", "openvino", "torch"}

BLOCK = re.compile(r"^```(python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """Language, line and code of every example that can be run here."""
    return [(match[1], text.count("\n", 0, match.start()) + 1, match[2]) for match in BLOCK.finditer(text)]


def command(language, modules, scratch):
    """What runs the file that is written, or `None` without such a program."""
    if language == "python":
        return [sys.executable, "-B", str(scratch / "snippet.py")]
    node = shutil.which("node")
    if node is None or not (modules / "node_modules").is_dir():
        return None
    (scratch / "node_modules").symlink_to((modules / "node_modules").resolve())
    return [node, str(scratch / "snippet.mjs")]


def lacks(stderr):
    """The optional package that is not installed, if that is what went wrong."""
    found = re.search(r"^ModuleNotFoundError: No module named '([\w.]+)'$", stderr, re.MULTILINE)
    return found[1] if found and found[1] in OPTIONAL else None


def end_of(stderr):
    """The last lines, without what a bundled library shows of itself."""
    return "\n".join(line[:200] for line in stderr.strip().splitlines()[-8:])


def run_block(language, code, run, modules):
    """Runs one example: `None` if it went well, else why not, and whether that was for want of a package."""
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        shutil.copytree(run, scratch / "run")
        words = command(language, modules, scratch)
        if words is None:
            return "no Node, or no packages for it", True
        pathlib.Path(words[-1]).write_text(code)
        done = subprocess.run(words, cwd=scratch / "run", capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    if done.returncode == 0:
        return None, False
    missing = lacks(done.stderr)
    return (f"{missing} is not installed", True) if missing else (end_of(done.stderr), False)


def main(arguments):
    arguments = list(arguments)
    demands_all = "--all" in arguments
    if demands_all:
        arguments.remove("--all")
    if len(arguments) < 3:
        print("usage: snippets.py [--all] RUN MODULES FILE.md...", file=sys.stderr)
        return 2
    run, modules, *files = map(pathlib.Path, arguments)
    failed = ran = 0
    for file in files:
        found = blocks(file.read_text())
        if not found:
            print(f"{file}: has no example in Python or JavaScript", file=sys.stderr)
            failed += 1
        for language, line, code in found:
            why, left_out = run_block(language, code, run, modules)
            outcome = "ok" if why is None else "left out" if left_out and not demands_all else "FAILED"
            print(f"{file}:{line}: {language}: {outcome}{'' if why is None else ': ' + why}")
            ran += why is None
            failed += outcome == "FAILED"
    print(f"{ran} examples ran, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
