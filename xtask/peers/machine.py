"""The machine, in words."""

import os
import platform
import subprocess
from pathlib import Path


def first(words: list[str], folder: Path | None = None) -> str:
    """The output of a program, or nothing if it cannot be run."""
    try:
        return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def parse_lscpu(text: str) -> dict[str, str]:
    """The fields of `lscpu`."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def system() -> str:
    """The operating system by the name that it gives itself."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(repository: Path) -> list[tuple[str, str]]:
    """Rows of name and value."""
    cpu = parse_lscpu(first(["lscpu"]))
    caches = ", ".join(f"{name[:-6]} {cpu[name]}" for name in ["L1d cache", "L2 cache", "L3 cache"] if name in cpu)
    rows = [
        ("Processor", cpu.get("Model name") or platform.processor() or platform.machine()),
        ("Cores in use", str(cores())),
        ("Caches", caches),
        ("Virtual machine", cpu.get("Hypervisor vendor", "")),
        ("System", f"{system()}, Linux {platform.release()}" if platform.system() == "Linux" else system()),
        ("Python", platform.python_version()),
        ("rustc", first(["rustc", "--version"], repository).removeprefix("rustc ")),
        ("Commit of Taper", first(["git", "describe", "--always", "--dirty"], repository)),
    ]
    return [(name, value) for name, value in rows if value]
