"""Runs every fault: `python3 .ci/python/faults TAPER KILLS SEED`; see `.ci/faults`."""

import pathlib
import random
import subprocess
import sys
import tempfile
import time

import kills
import limits
import others
from program import Fault, Program, network


def main(taper: str, count: int, seed: int) -> int:
    print(f"{count} kills, seed {seed}", flush=True)
    # Beside the program, so that what is timed and filled is a disk of the kind that users have.
    folder = pathlib.Path(taper).parent.parent
    with tempfile.TemporaryDirectory(prefix="faults-", dir=folder) as work:
        program = Program(pathlib.Path(taper), pathlib.Path(work), network())
        chance = random.Random(seed)
        started = time.monotonic()
        whole = program.whole_run()
        parts = [
            ("killed", lambda: kills.check(program, whole, count, chance)),
            ("full disk", lambda: limits.full_disk(program, whole)),
            ("limit on file sizes", lambda: limits.file_size(program, whole)),
            ("read-only folder", lambda: limits.read_only(program)),
            ("read-only disk", lambda: limits.read_only_disk(program, whole)),
            ("signals", lambda: others.signals(program, whole, chance)),
            ("clock", lambda: others.clock(program, whole, chance)),
            ("damaged checkpoints", lambda: others.damaged(program, whole, chance)),
            ("changed data", lambda: others.changed_data(program, whole)),
            ("two runs in one folder", lambda: others.two_runs(program, whole)),
            ("a finished run", lambda: others.finished(program, whole)),
        ]
        failed = [name for name, part in parts if not passes(name, part)]
        print(f"{time.monotonic() - started:.0f} s; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def passes(name: str, part) -> bool:
    started = time.monotonic()
    try:
        said = part()
        print(f"ok      {name}, {time.monotonic() - started:.0f} s: {said}", flush=True)
    except limits.Skipped as reason:
        print(f"skipped {name}: {reason}", flush=True)
    except (Fault, subprocess.TimeoutExpired) as fault:
        print(f"FAILED  {name}: {fault}", flush=True)
        return False
    return True


if __name__ == "__main__":
    if sys.argv[1:2] == ["--mounted"]:
        sys.exit(limits.mounted(*sys.argv[2:]))
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
