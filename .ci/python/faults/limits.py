"""Disks that are full, files that may not grow, folders and disks that are read-only."""

import os
import pathlib
import resource
import shutil
import subprocess
import sys

from program import (
    PATIENCE, Fault, Program, check_clean, check_same, check_whole, checkpoint_files, network, results, staging, stop,
    wait,
)

KB = 1000
FULL = "free some space on that disk"
FORBIDDEN = "choose a folder you may write to"

# The exit code of a check whose tools cannot be had here, as automake has it.
SKIPPED = 77


class Skipped(Exception):
    """What this machine does not permit."""


# --- Without mounts ----------------------------------------------------------------------------------------------


def file_size(program: Program, whole: dict[str, bytes]) -> str:
    """Files may not be larger than a limit, which grows; a checkpoint is the largest, then the weights."""
    run, failures = program.run("limited"), 0
    for limit in [1, 100, 500]:

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit * KB, limit * KB))

        # As Python has it, and so the program: a file that is too large is an error and not a signal.
        options = {"preexec_fn": limited, "restore_signals": False}
        program.call(program.words(run), 1, str(run), "ulimit -f", **options)
        check_clean(run)
        failures += 1
    program.call(program.words(run))
    check_same(run, whole)
    return f"{failures} limits, each one error; then the same bits"


def read_only(program: Program) -> str:
    """A folder that may not be written to, before the run and in the middle of it."""
    # Root may write anywhere, but not without its capabilities.
    humble = [] if os.geteuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    if humble and subprocess.run([*humble, "true"], capture_output=True).returncode:
        raise Skipped("root may write anywhere, and setpriv does not keep it from that here")
    closed = program.run("closed")
    closed.mkdir(mode=0o555)
    for run in [closed, closed / "run"]:
        program.call([*humble, *program.words(run)], 1, str(run), FORBIDDEN)
    if os.listdir(closed):
        raise Fault(f"{closed} holds {os.listdir(closed)}")

    run = program.run("closing")
    process = program.start([*humble, *program.words(run)])
    wait(process, (run / "checkpoints").exists)
    (run / "checkpoints").chmod(0o555)
    program.ends(process, 1, str(run / "checkpoints"), FORBIDDEN)
    check_whole(run)
    (run / "checkpoints").chmod(0o755)
    program.call(program.words(run))
    return "one error that names it, and nothing is written"


# --- With mounts -------------------------------------------------------------------------------------------------


def full_disk(program: Program, whole: dict[str, bytes]) -> str:
    return in_namespace("full", program)


def read_only_disk(program: Program, whole: dict[str, bytes]) -> str:
    return in_namespace("read-only", program)


def in_namespace(kind: str, program: Program) -> str:
    """Calls `mounted`, below, where this process may mount; nobody else sees what is mounted there."""
    here = str(pathlib.Path(__file__).parent)
    command = [sys.executable, "-B", here, "--mounted", kind, str(program.taper), str(program.folder)]
    try:
        output = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", *command], capture_output=True, text=True
        )
    except FileNotFoundError as cause:
        raise Skipped("unshare is not installed") from cause
    if output.returncode == SKIPPED or "unshare failed" in output.stderr:
        raise Skipped(f"a disk of memory cannot be mounted ({output.stderr.strip()})")
    if output.returncode:
        raise Fault(output.stderr)
    return output.stdout.strip()


def mounted(kind: str, taper: str, folder: str) -> int:
    """The part of a check that needs a small disk; its exit code."""
    program = Program(pathlib.Path(taper), pathlib.Path(folder), network())
    disk = program.run(f"disk-{kind}")
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={100 * KB}", "none", str(disk)]
    if error := subprocess.run(mount, capture_output=True, text=True).stderr:
        print(error, file=sys.stderr)
        return SKIPPED
    whole = results(program.run("whole"))
    try:
        print({"full": fill, "read-only": close}[kind](program, disk, whole))
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def remount(disk: pathlib.Path, option: str) -> bool:
    command = ["mount", "-o", f"remount,{option}", str(disk)]
    return subprocess.run(command, capture_output=True).returncode == 0


def resize(disk: pathlib.Path, size: int) -> None:
    if not remount(disk, f"size={size}"):
        raise Fault(f"{disk} does not change its size")


def fill(program: Program, disk: pathlib.Path, whole: dict[str, bytes]) -> str:
    """The disk is full in the middle of training, when the results are written, and when scores and ONNX are added."""
    run = disk / "run"
    failures = grow(program, disk, run, 350 * KB)
    check_same(run, whole)
    shutil.rmtree(run)

    resize(disk, 20_000 * KB)
    process = program.start(program.words(run))
    wait(process, lambda: staging(run))
    stop(process)
    there = os.statvfs(disk)
    resize(disk, (there.f_blocks - there.f_bfree) * there.f_frsize + 50 * KB)
    failures += grow(program, disk, run, 100 * KB)
    check_same(run, whole)
    return f"{failures} times full, each one error; then the same bits"


def grow(program: Program, disk: pathlib.Path, run: pathlib.Path, step: int) -> int:
    """Tries again, each time with a larger disk, until the run is through; how often it was not."""
    failures = 0
    while True:
        process = program.start(program.words(run))
        process.wait(PATIENCE)
        if process.returncode == 0:
            process.communicate()
            return failures
        program.ends(process, 1, str(run), FULL)
        check_clean(run)
        failures += 1
        there = os.statvfs(disk)
        resize(disk, there.f_blocks * there.f_frsize + step)


def close(program: Program, disk: pathlib.Path, whole: dict[str, bytes]) -> str:
    """The disk becomes read-only in the middle of training."""
    resize(disk, 20_000 * KB)
    run = disk / "run"
    process = program.start(program.words(run))
    wait(process, lambda: checkpoint_files(run / "checkpoints"))
    # The system refuses while a file is being written.
    wait(process, lambda: remount(disk, "ro"))
    program.ends(process, 1, str(run), FORBIDDEN)
    program.call(program.words(disk / "other"), 1, str(disk / "other"), FORBIDDEN)
    remount(disk, "rw")
    check_whole(run)
    program.call(program.words(run))
    check_same(run, whole)
    return "one error that names it; writable again, the same bits"
