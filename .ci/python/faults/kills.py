"""Runs that are killed again and again: at random moments, while a checkpoint is written, and while the results are."""

import os
import pathlib
import random
import subprocess
import time

from program import Fault, Program, check_same, check_whole, names, staging, stop, temporaries, wait

# How often each kind of moment is drawn. The last comes once in a run at most, so often in few kills would be slow.
MOMENTS = {"anywhere": 5, "in a checkpoint": 4, "in the results": 1}

# A run that was interrupted must go on from wherever the clock says that its files were written.
YEARS = 10 * 365 * 86400


def check(program: Program, whole: dict[str, bytes], count: int, chance: random.Random) -> str:
    """Kills runs `count` times in all; every run must end with the bits of `whole`."""
    done = dict.fromkeys(MOMENTS, 0)
    left = dict.fromkeys(["checkpoint", "results"], 0)
    finished = 0
    while sum(done.values()) < count:
        run = program.run(f"killed-{finished}")
        ended = False
        while not ended and sum(done.values()) < count:
            (moment,) = chance.choices(list(MOMENTS), list(MOMENTS.values()))
            threads = str(chance.choice([1, 2, 3]))
            process = program.start(program.words(run, "--threads", threads))
            if moment_comes(moment, process, program, run, chance):
                stop(process)
                done[moment] += 1
                left["checkpoint"] += bool(temporaries(run / "checkpoints"))
                left["results"] += bool(temporaries(run))
                check_whole(run)
                jump_in_time(run, chance)
            else:
                program.ends(process, 0)
                ended = True
        program.call(program.words(run, "--threads", "2"))
        check_same(run, whole)
        finished += 1
    moments = ", ".join(f"{number} {moment}" for moment, number in done.items())
    said = f"{count} kills ({moments}) of {finished} runs; {left['checkpoint']} left half a checkpoint, " \
        f"{left['results']} half results, all in temporary files; the same bits"
    if left["checkpoint"] < count // 5:
        raise Fault(f"{said}. That is too few half checkpoints to show anything")
    return said


def moment_comes(
    moment: str, process: subprocess.Popen, program: Program, run: pathlib.Path, chance: random.Random
) -> bool:
    """Waits for the moment to kill the program; false if it ends first."""
    match moment:
        case "anywhere":
            end = time.monotonic() + chance.uniform(0, program.beginning + program.seconds / 8)
            return wait(process, lambda: time.monotonic() > end)
        case "in a checkpoint":
            seen: set[str] = set()
            wanted = chance.randint(1, 5)

            def comes() -> bool:
                seen.update(temporaries(run / "checkpoints"))
                return len(seen) >= wanted

            # The files that an earlier kill left go first, and do not count.
            seen.update(old := temporaries(run / "checkpoints"))
            wanted += len(old)
            return wait(process, comes)
        case "in the results":
            old = set(staging(run))
            if not wait(process, lambda: set(staging(run)) - old):
                return False
            # The files of the training follow at once, the scores and the ONNX file later.
            end = time.monotonic() + chance.uniform(0, chance.choice([0.01, program.seconds / 5]))
            return wait(process, lambda: time.monotonic() > end)
    raise ValueError(moment)


def jump_in_time(run: pathlib.Path, chance: random.Random) -> None:
    """What the disk says of when files were written must not matter: clocks jump."""
    for folder in [run, run / "checkpoints"]:
        for name in names(folder):
            moment = time.time() + chance.uniform(-YEARS, YEARS)
            os.utime(folder / name, (moment, moment))
