#!/usr/bin/env python3
"""Run a program and write down what it took: `python -S -E launch.py FILE PROGRAM [WORD]...`.

Linux counts as a process's own memory the most that its parent held when it was started. So a program whose memory is
measured has this small parent, which imports nothing, and not the one that reads images and writes reports. The file
gets seconds, the most memory as the system counts it, and the exit code (minus a signal), on one line.
"""

import os
import sys
import time


def main() -> int:
    """Run, wait, write."""
    file, *words = sys.argv[1:]
    start = time.perf_counter()
    process = os.posix_spawnp(words[0], words, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    with open(file, "w", encoding="ascii") as out:
        out.write(f"{seconds} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
