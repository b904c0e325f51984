"""What people see of the program: progress in terminals and logs, pictures, completions, manual pages.

    python3 terminal.py TAPER RUN FOLDER

RUN is a finished run on digits. Needs what requirements.txt lists, and a system with terminals and bash; zsh, fish and groff are
used where they are.
"""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import unicodedata
import zlib

import image_folder
from terminals import in_terminal

TRAIN = ["train", "--dataset", "synthetic", "--limit", "3000", "--epochs", "2", "--model", "lenet5"]

# What begins with an escape: a colour, or another command to the terminal.
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")


def run(command, **options):
    """What a program that must succeed writes to its two streams."""
    done = subprocess.run(command, capture_output=True, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stderr.decode(errors='replace')}"
    return done.stdout, done.stderr


def width(line):
    """Columns of a line: letters of East Asian scripts take two."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def check_lines(text, columns):
    """No line is wider than the terminal. A carriage return begins a line anew."""
    lines = [line.decode() for line in re.split(rb"[\r\n]+", ESCAPE.sub(b"", text))]
    widest = max(lines, key=width)
    assert width(widest) <= columns, f"wider than {columns} columns: {widest!r}"
    return lines


def progress(taper, folder):
    """Bars in terminals, lines in logs."""
    train = [taper, *TRAIN, "--out", str(folder / "run")]
    for columns in [80, 50]:
        shown = in_terminal(train, columns)
        # The line of an epoch is 80 wide; only the bar follows the terminal.
        bars = [line for line in check_lines(shown, 80) if "] loss " in line]
        assert bars and b"\r" in shown, f"no bar: {shown!r}"
        check_lines("\n".join(bars).encode(), columns)
    assert not COLOUR.search(in_terminal(train, NO_COLOR="1")), "colours in spite of NO_COLOR"
    plain = in_terminal(train, TERM="dumb").replace(b"\r\n", b"\n")
    log = run(train)[1]
    for name, text in [("a terminal that only appends", plain), ("a log", log)]:
        assert not CONTROL.search(text), f"control characters in {name}: {text!r}"
        epochs = [line for line in check_lines(text, 80) if line.startswith("epoch ")]
        assert len(epochs) == 2 and all("val. loss" in line for line in epochs), f"{name}: {text!r}"
    return f"bars in 80 and 50 columns; in a log: {epochs[-1]}"


def whole_run(taper, folder):
    """All that `pipeline` shows fits into 80 columns: results and what goes on, with the warning of a machine without a network."""
    pipeline = [taper, "pipeline", *TRAIN[3:], "--out", "whole"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": "hub"}
    shown = in_terminal(pipeline, 80, ("stdout", "stderr"), folder, **offline)
    written = b"\n".join(run(pipeline, cwd=folder, env={**os.environ, **offline}))
    for text in [shown, written]:
        begin = {line.split(" ")[0] for line in check_lines(text, 80)}
        missing = {"WARNING:", "data", "training", "best", "test", "ONNX", "report", "run"} - begin
        assert not missing, f"no line begins with {missing}: {text!r}"
    return "80 columns suffice, in a terminal and in a log"


def png(rows):
    """A grey PNG file."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pictures(taper, trained, folder):
    """The image in greys, in half blocks and in letters."""
    picture = folder / "one.png"
    # A black stroke on white paper.
    picture.write_bytes(png([[0 if 44 <= x < 54 and 20 <= y < 80 else 255 for x in range(100)] for y in range(100)]))
    predict = [taper, "predict", "--run", str(trained), str(picture)]
    coloured = in_terminal(predict, streams=("stdout",))
    assert b"\x1b[38;5;255" in coloured and "▀".encode() in coloured, coloured
    plain = in_terminal(predict, streams=("stdout",), NO_COLOR="1")
    assert b"\x1b" not in plain and "█".encode() in plain, plain
    dumb = in_terminal(predict, streams=("stdout",), TERM="dumb").replace(b"\r\n", b"\n")
    piped = run(predict)[0]
    assert dumb == piped and piped.isascii() and b"@" in piped, piped
    for shown in [coloured, plain, piped]:
        lines = check_lines(shown, 80)
        assert sum(" %" in line for line in lines) == 3, lines
    pixels = json.loads(run([*predict, "--json"])[0])[0]["pixels"]
    rows = [bytes.fromhex(row) for row in pixels]
    assert [len(row) for row in rows] == [28] * 28 and max(map(max, rows)) == 255, pixels
    return "greys, half blocks, letters, and values"


def large_pictures(taper, folder):
    """Of a run on a folder of images: larger than is drawn, and with names of classes longer than there is room."""
    photos, names = folder / "photos", {"columns": "おきすつなはまやれを" * 3, "disc": "disc-" * 12, "rows": "rows"}
    image_folder.make(photos)
    for part in ["train", "test"]:
        for old, new in names.items():
            (photos / part / old).rename(photos / part / new)
    train = ["train", "--data-dir", "photos", "--image-size", "64", "--model", "lenet5", "--epochs", "1", "--out", "photos-run"]
    run([taper, *train], cwd=folder)
    shutil.copy(photos / "test" / "rows" / "000.jpg", folder / "rows.jpg")
    predict = [taper, "predict", "--run", "photos-run", "rows.jpg"]
    for shown in [in_terminal(predict, 80, ("stdout",), folder), run(predict, cwd=folder)[0]]:
        lines = [line for line in check_lines(shown, 80) if line]
        classes = [line for line in lines if " %" in line]
        assert len(lines) == 1 + 20 and len(classes) == 3, lines
        assert sum("…" in line for line in classes) == 2 and any("おき" in line for line in classes), classes
        # The probabilities stand below each other.
        assert len({width(line[: line.index(" %")]) for line in classes}) == 1, classes
    return "64 pixels in 40 columns, long and wide names"


def completions(taper):
    """Every script is loaded by its shell; bash completes a word, a flag and a value."""
    words = "complete -p taper; for words in 'taper pre' 'taper train --warm' 'taper train --schedule one'; do " \
            "COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); " \
            "_taper taper \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[*]}\"; done"
    script = run([taper, "completions", "bash"])[0].decode()
    said = run(["bash", "--norc", "-c", f"{script}\n{words}"])[0].decode().splitlines()
    assert "-F _taper" in said[0] and said[1:] == ["predict", "--warmup", "one-cycle"], said
    loaded = ["bash"]
    for shell, options in [("zsh", ["-n"]), ("fish", ["--no-execute"])]:
        script = run([taper, "completions", shell])[0]
        assert b"warmup" in script, script
        if shutil.which(shell):
            run([shell, *options, "/dev/stdin"], input=script)
            loaded.append(shell)
    for shell in ["elvish", "powershell"]:
        assert b"warmup" in run([taper, "completions", shell])[0], shell
    return f"loaded in {', '.join(loaded)}"


def manual(taper, folder):
    """A page for every word, each with examples, which groff sets without a warning."""
    pages = folder / "man"
    run([taper, "man", "--out", str(pages)])
    names = sorted(page.name for page in pages.iterdir())
    listed = run([taper, "--help"])[0].decode()
    words = re.findall(r"(?m)^  ([a-z-]+)  +\S", listed.partition("Commands:")[2].partition("Options:")[0])
    assert names == sorted(["taper.1", *(f"taper-{word}.1" for word in words if word != "help")]), names
    assert run([taper, "man"])[0].strip() == (pages / "taper.1").read_bytes().strip()
    for page in pages.iterdir():
        assert "EXAMPLES" in page.read_text(), page
        if shutil.which("groff"):
            text, warnings = run(["groff", "-k", "-man", "-Tutf8", "-ww", str(page)])
            assert not warnings and b"taper" in text, f"{page}: {warnings.decode()}"
    return f"{len(names)} pages" + (", set by groff" if shutil.which("groff") else "; groff is not here")


def main(taper, trained, folder):
    taper, folder = str(pathlib.Path(taper).resolve()), pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"ok progress: {progress(taper, folder)}")
    print(f"ok whole run: {whole_run(taper, folder)}")
    print(f"ok pictures: {pictures(taper, trained, folder)}")
    print(f"ok large pictures: {large_pictures(taper, folder)}")
    print(f"ok completions: {completions(taper)}")
    print(f"ok manual: {manual(taper, folder)}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
