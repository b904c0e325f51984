"""Programs in a terminal of a given width."""

import fcntl
import os
import pty
import struct
import subprocess
import termios


def in_terminal(command, columns=80, streams=("stderr",), folder=None, **variables):
    """Runs a program some of whose streams are a terminal, and gives what it shows there; what it writes elsewhere is lost."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    pipes = {stream: its if stream in streams else subprocess.DEVNULL for stream in ("stdout", "stderr")}
    shown = b""
    with subprocess.Popen(command, **pipes, cwd=folder, env=environment | {"TERM": "xterm-256color"} | variables) as process:
        os.close(its)
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # so Linux says that nobody writes any more
                break
            if not part:
                break
            shown += part
    os.close(ours)
    if process.returncode != 0:
        raise SystemExit(f"{command} failed:\n{shown.decode(errors='replace')}")
    return shown
