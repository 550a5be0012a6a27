"""What ``ssh`` runs when it has a question (``SSH_ASKPASS`` in ssh(1)): passes it on, prints the answer.

A program of its own, run by its path under ``python -I -S``. The question goes to whoever listens on the Unix
socket that ``TRACKSIDE_ASKPASS`` names, and the answer comes back over it: it is never an argument, an
environment variable or a file.
"""

from __future__ import annotations

import os
import socket
import sys

ANSWERED = b"+"
"""First byte of an answer; without it nobody answered, and ssh is told so by the exit status."""


def main() -> int:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ["TRACKSIDE_ASKPASS"])
        line.sendall(os.fsencode(sys.argv[1] if len(sys.argv) > 1 else ""))
        line.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: line.recv(65536), b""))
    if not said.startswith(ANSWERED):
        return 1
    sys.stdout.buffer.write(said[len(ANSWERED) :] + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
