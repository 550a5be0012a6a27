"""The lock says who is alive: freed by any death, kept by forks and by readers of the same process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernel_magics.journal import lock

HOLD = """
import sys
from pathlib import Path
from kernel_magics.journal import lock
assert lock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.lock"


ASK = """
import sys
from pathlib import Path
from kernel_magics.journal import lock
print(lock.is_held(Path(sys.argv[1])))
"""


def asked_from_outside(path: Path) -> str:
    asked = [sys.executable, "-c", ASK, str(path)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_the_lock_is_seen_from_outside_and_inside_until_it_is_released(path: Path) -> None:
    assert lock.is_held(path) is None, "no file: nobody can know"
    assert lock.acquire(path)
    assert lock.is_held(path) is True
    assert asked_from_outside(path) == "True"
    lock.release(path)
    assert lock.is_held(path) is False
    assert asked_from_outside(path) == "False"


def test_asking_in_the_process_that_holds_it_does_not_free_it(path: Path) -> None:
    lock.acquire(path)
    alias = path.parent / "." / path.name
    link = path.parent / "link.lock"
    link.symlink_to(path)
    assert [lock.is_held(name) for name in (path, alias, link)] == [True, True, True]
    assert asked_from_outside(path) == "True"
    lock.release(path)


def test_kill_9_frees_the_lock(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert lock.is_held(path) is True
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.communicate()
    assert lock.is_held(path) is False


def test_a_forked_child_neither_holds_nor_frees_the_lock(path: Path) -> None:
    lock.acquire(path)
    child = os.fork()
    if child == 0:
        lock.release(path)  # nothing of its own to release
        os._exit(0 if lock.is_held(path) is True else 1)  # asks the system: the parent holds it
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asked_from_outside(path) == "True"
    lock.release(path)


def test_readers_that_ask_at_once_do_not_see_each_other(path: Path) -> None:
    lock.acquire(path)
    lock.release(path)
    import fcntl

    with path.open("rb") as other:  # another reader's probe, held on for longer; in this process, so by fork
        child = os.fork()
        if child == 0:
            fcntl.lockf(other.fileno(), fcntl.LOCK_SH)
            os._exit(0 if lock.is_held(path) is False else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.is_held(path) is False
