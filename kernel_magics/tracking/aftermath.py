"""After a process died without a word: what its runs are told by whoever saw it die.

Called by the agent on a GPU machine, with what it knows about the kernel's death. Stdlib only, Python 3.9.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Union

from kernel_magics import paths
from kernel_magics.errors import JournalError
from kernel_magics.journal import format as fmt
from kernel_magics.journal import lock
from kernel_magics.journal.reader import JournalReader
from kernel_magics.journal.writer import JournalWriter
from kernel_magics.model import RunStatus, random_word
from kernel_magics.tracking.notices import notice
from kernel_magics.tracking.processes import host_name, writer_identity


class _Head(NamedTuple):
    """The first frame of a journal, where it lies, and when it was last written (nanoseconds)."""

    journal: Path
    run: Dict[str, Any]
    written: int

    @property
    def role(self) -> str:
        return str(self.run["writer"].get("role"))


def close_runs(data_dir: Union[str, Path], report: Mapping[str, Any]) -> List[str]:
    """Write the end of every run whose process died with the kernel.

    A run is closed when neither its last main writer nor an agent after that says ``finish``, no process
    holds a lock on any journal of it, and that writer was the dead process, or a descendant of it, on this
    host. Calling it again changes nothing.

    Args:
        data_dir: the data folder.
        report: what is known of the death, each key optional: ``pid`` (without it, every process of this
            host that wrote here and is dead), ``start_ticks`` of that process (ids are used again; see
            :func:`kernel_magics.tracking.processes.start_ticks`), ``returncode``, ``signal`` (a
            number or a name), ``reason`` in words, ``epoch`` of the kernel.

    Returns:
        The ids of the runs that were closed.
    """
    closed = []
    data = Path(data_dir)
    for folder in sorted(paths.runs_dir(data).glob("*/")):
        heads = [head for head in map(_head, sorted(folder.glob("*.journal"))) if head is not None]
        mains = [head for head in heads if head.role == "main"]
        if not mains:
            continue
        # torchrun starts rank 0 again, under the same run, when the one before has died: the last counts.
        main = max(mains, key=lambda head: head.written)
        if not _died_with(main.run["writer"], report):
            continue
        if any(lock.is_held(lock.lock_path(head.journal)) for head in heads):
            continue
        if _is_ended(main, heads):
            continue
        _write_end(folder, main.run, report)
        closed.append(folder.name)
    return closed


def last_word(report: Mapping[str, Any]) -> Dict[str, Any]:
    """The ``finish`` frame's content: ``failed`` when the process ended by itself, else ``killed``."""
    by = _signal_name(report)
    code = report.get("returncode")
    if by:
        status, detail = RunStatus.KILLED, f"killed by {by}"
    elif code is None:
        status, detail = RunStatus.KILLED, "its process ended and nobody saw how"
    else:
        status, detail = RunStatus.FAILED, f"its process ended with exit code {code} before the run did"
    reason = str(report.get("reason") or "")
    if reason:
        detail = reason if reason.startswith(detail) or not by else f"{detail}: {reason}"
    return {"time": time.time(), "status": str(status), "detail": detail}


def _signal_name(report: Mapping[str, Any]) -> str:
    """``signal 9 (SIGKILL)``, or ``""`` when no signal ended the process."""
    given = report.get("signal")
    code = report.get("returncode")
    if given is None and isinstance(code, int) and code < 0:  # subprocess's way to say it
        given = -code
    if isinstance(given, str) and given.isdigit():
        given = int(given)
    if not given:
        return ""
    try:
        found = signal.Signals[given] if isinstance(given, str) else signal.Signals(given)
    except (KeyError, ValueError):
        return f"signal {given}"
    return f"signal {int(found)} ({found.name})"


def _head(journal: Path) -> Optional[_Head]:
    """The journal's first frame; ``None`` for what cannot be read, which is then nobody's to close."""
    try:
        frames = JournalReader(journal).read(limit=65536).frames
        run = fmt.unpack_json(frames[0].payload) if frames and frames[0].kind == fmt.Kind.RUN else {}
        written = journal.stat().st_mtime_ns
    except (OSError, ValueError, JournalError):
        return None
    return _Head(journal, run, written) if isinstance(run.get("writer"), dict) else None


def _died_with(writer: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    if writer.get("host") != host_name():
        return False
    pid = report.get("pid")
    if pid is None:
        return True
    began, died = writer.get("start_ticks"), report.get("start_ticks")
    if not isinstance(began, int) or not isinstance(died, int):
        return writer.get("pid") == pid or pid in (writer.get("ancestors") or ())
    if writer.get("pid") == pid:
        return began == died
    # An id that an ancestor had is free again only after the writer began: a younger process is another one.
    return pid in (writer.get("ancestors") or ()) and died <= began


def _is_ended(main: _Head, heads: List[_Head]) -> bool:
    """Whether ``main``, or an agent about it, said the end; what an agent said of a writer before is past."""
    agents = [head for head in heads if head.role == "agent" and head.written >= main.written]
    return any(_says_finish(head.journal) for head in (main, *agents))


def _says_finish(journal: Path) -> bool:
    return any(
        frame.kind == fmt.Kind.FINISH for batch in JournalReader(journal).batches() for frame in batch.frames
    )


def _write_end(folder: Path, run: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    identity = writer_identity(f"agent-{random_word(8)}", "agent")
    end = last_word(report)
    event = {
        "time": end["time"],
        "name": "process-died",
        "level": "error",
        "detail": end["detail"],
        "pid": report.get("pid"),
        "returncode": report.get("returncode"),
        "signal": report.get("signal"),
        "epoch": report.get("epoch"),
    }
    writer = JournalWriter(folder, identity["id"], report=notice, batched=False)
    for kind, content in (
        (fmt.Kind.RUN, {**run, "writer": identity}),
        (fmt.Kind.EVENT, event),
        (fmt.Kind.FINISH, end),
    ):
        writer.append(fmt.pack_frame(kind, fmt.pack_json(content)))
    writer.close()
