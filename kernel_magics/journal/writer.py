"""Writing a journal: one unbuffered append per frame, and an honest account of what could not be written.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from kernel_magics import paths
from kernel_magics.errors import DataFolderError
from kernel_magics.journal import format as fmt
from kernel_magics.journal import lock, mounts
from kernel_magics.journal.appending import finish_write, write_whole
from kernel_magics.model import counted

HELD_LIMIT = 8 * 1024 * 1024
"""Bytes of points and outputs kept in memory while the journal cannot be written; what is more is lost."""
RETRY_S = 0.25
QUIET_S = 60.0
BATCH_S = 0.1
"""How long points may wait in memory on a network file system, at most: a kill may cost so much."""

_sync_data = getattr(os, "fdatasync", os.fsync)


class JournalWriter:
    """Appends frames to a journal that it created and that nobody else writes.

    Not thread-safe: whoever owns it holds a lock around every call but :meth:`sync`.

    While the disk is full or broken, frames wait in memory up to :data:`HELD_LIMIT` and are written when that
    is possible again, followed by an event that says what was late and how many points were lost. A frame cut
    short by a full disk is taken back, so the journal stays whole.

    Args:
        folder: the run's folder; made when it is missing and ``begins`` the run.
        writer_id: the journal is ``<folder>/<writer_id>.journal``; it must not exist.
        report: called with a sentence when writing fails, once per failure, and when it works again.
        batched: gather points for :data:`BATCH_S` (network file systems); ``None`` asks the mount table.

    Raises:
        DataFolderError: the folder or the file cannot be made; says what to type.
    """

    def __init__(
        self,
        folder: Path,
        writer_id: str,
        *,
        report: Callable[[str], None],
        batched: Optional[bool] = None,
        begins: bool = True,
    ) -> None:
        self.path = folder / f"{writer_id}.journal"
        self._report = report
        self._held: List[Tuple[bytes, int]] = []  # frames in memory, and the points in each
        self._held_bytes = 0
        self._lost_points = 0
        self._lost_records = 0  # frames that are not points
        self._failed_since = 0.0
        self._failure: Optional[OSError] = None
        self._retry_at = 0.0
        self._quiet_until = 0.0
        self._tell = True
        self._dirty = False
        self._descriptor = -1
        try:
            if begins:
                paths.make_private_folder(folder)
            # Locked before the journal exists: a reader never sees a journal whose writer seems dead.
            lock.acquire(lock.lock_path(self.path))
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(self.path, flags | getattr(os, "O_BINARY", 0), 0o600)
            write_whole(self._descriptor, fmt.pack_header())
        except OSError as error:
            self._take_back(begun=not isinstance(error, FileExistsError), begins=begins)
            raise unwritable(folder, error) from error
        self._batched = mounts.is_network(folder) if batched is None else batched

    def _take_back(self, *, begun: bool, begins: bool) -> None:
        """Nothing stays of a journal that could not be begun: a reader would take it for one of a process
        that died."""
        self.abandon()
        lock.release(lock.lock_path(self.path))
        with suppress(OSError):
            if begun:
                self.path.unlink(missing_ok=True)
                lock.lock_path(self.path).unlink(missing_ok=True)
            if begins:
                self.path.parent.rmdir()  # only when nothing else is in it

    @property
    def closed(self) -> bool:
        return self._descriptor < 0

    @property
    def deleted(self) -> bool:
        """Whether somebody has deleted the journal: what is written goes where nobody can read it."""
        try:
            return not self.closed and os.fstat(self._descriptor).st_nlink == 0
        except OSError:
            return False

    @property
    def batched(self) -> bool:
        """Whether points are gathered before they are written (network file systems)."""
        return self._batched

    @property
    def waiting_points(self) -> int:
        """Points that are in memory only."""
        return sum(points for _, points in self._held)

    def append(self, frame: bytes, points: int = 0) -> bool:
        """Append a whole frame that holds ``points`` points.

        Returns:
            Whether it is written, or held to be written. Never raises for a failing disk.
        """
        self._dirty = True
        if self._held or self._batched:
            return self._append_held(frame, points)
        try:
            written = os.write(self._descriptor, frame)
        except OSError as error:
            self._fail(error)
            return self._keep(frame, points)
        if written == len(frame):
            return True
        try:
            finish_write(self._descriptor, frame, written)
        except OSError as error:
            self._fail(error)
            return self._keep(frame, points)
        return True

    def lose(self, points: int) -> None:
        """Count points as lost that were never given to :meth:`append`; reported with the others."""
        self._lost_points += points

    def flush(self) -> None:
        """Write what waits in memory; while the disk fails, if it is time to try."""
        if self._held and (not self._failed_since or time.monotonic() >= self._retry_at):
            self._write_held()

    def sync(self) -> Optional[OSError]:
        """Bring what is written to stable storage; may take as long as the disk does.

        Needs no lock: it touches nothing but the descriptor, which only :meth:`close` closes.
        """
        if not self._dirty or self.closed:
            return None
        self._dirty = False
        try:
            _sync_data(self._descriptor)
        except OSError as error:
            return error
        return None

    def close(self) -> Optional[OSError]:
        """Sync, close, free the lock. What waits in memory is tried once more, else reported as lost.

        Returns:
            why not all that was appended is on stable storage; ``None`` when it is.
        """
        if self.closed:
            return None
        if self._held:
            self._write_held()
        points = self._lost_points + self.waiting_points
        records = self._lost_records + sum(count == 0 for _, count in self._held)
        if points or records:
            self._report(f"{_amount(points, records)} could not be written to {self.path}: they are lost.")
        error = self.sync()
        if error is not None:
            self._report(f"{self.path} could not be brought to stable storage: {error.strerror}.")
        self.abandon()
        lock.release(lock.lock_path(self.path))
        return self._failure if points or records else error

    def abandon(self) -> None:
        """Close the descriptor and nothing else (in a forked child, where the journal is the parent's)."""
        descriptor, self._descriptor = self._descriptor, -1
        self._held = []
        if descriptor >= 0:
            os.close(descriptor)

    def _fail(self, error: OSError) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        self._failure = error
        if self._failed_since:
            return
        self._failed_since = time.time()
        # A disk that is full to the brim fails and recovers by the second: that is said once a minute.
        self._tell = time.monotonic() >= self._quiet_until
        if not self._tell:
            return
        self._quiet_until = time.monotonic() + QUIET_S
        self._report(
            f"The run's journal cannot be written ({error.strerror}: {self.path}). Your code goes on. What it"
            f" records waits in memory (up to {HELD_LIMIT >> 20} MiB) and is written when that is possible"
            " again; if this process ends before, it is lost."
        )

    def _keep(self, frame: bytes, points: int) -> bool:
        # Definitions, config, events and the finish may use as much again: without them points mean nothing.
        bulky = points > 0 or len(frame) > 65536
        if self._held_bytes + len(frame) > (HELD_LIMIT if bulky else 2 * HELD_LIMIT):
            self._lost_points += points
            self._lost_records += points == 0
            return False
        self._held.append((frame, points))
        self._held_bytes += len(frame)
        return True

    def _append_held(self, frame: bytes, points: int) -> bool:
        """Append while the disk fails, or in batches; everything stays in order."""
        if not self._failed_since:
            if not self._held:
                self._retry_at = time.monotonic() + BATCH_S
        elif time.monotonic() >= self._retry_at:
            self._write_held()
            if not self._held:
                return self.append(frame, points)
        kept = self._keep(frame, points)
        if not self._failed_since:
            full = self._held_bytes > HELD_LIMIT // 8
            if points == 0 or full or time.monotonic() >= self._retry_at:
                self._write_held()
        return kept

    def _write_held(self) -> None:
        """Write all that waits; frame by frame once the disk has failed: one may fit where all do not."""
        done = 0
        try:
            if not self._failed_since:
                write_whole(self._descriptor, b"".join(frame for frame, _ in self._held))
                done = len(self._held)
            while done < len(self._held):
                write_whole(self._descriptor, self._held[done][0])
                done += 1
        except OSError as error:
            self._fail(error)
        finally:  # also after an interrupt, or frames would be written twice
            written, self._held = self._held[:done], self._held[done:]
            self._held_bytes -= sum(len(frame) for frame, _ in written)
        if self._failed_since and not self._held:
            self._tell_recovery(len(written))

    def _tell_recovery(self, late_frames: int) -> None:
        since, self._failed_since = self._failed_since, 0.0
        points, records = self._lost_points, self._lost_records
        self._lost_points = self._lost_records = 0
        lost = points > 0 or records > 0
        what = f"lost: {_amount(points, records)}" if lost else "nothing is lost"
        detail = f"The journal could not be written for {time.time() - since:.1f} s; {what}."
        event = {
            "time": time.time(),
            "name": "points-lost" if lost else "journal-delayed",
            "level": "error" if lost else "warning",
            "detail": detail,
            "since": since,
            "late_frames": late_frames,
            "lost_points": points,
            "lost_records": records,
        }
        self.append(fmt.pack_frame(fmt.Kind.EVENT, fmt.pack_json(event)))
        if self._tell or lost:
            self._report(f"The run's journal can be written again. {detail}")


def _amount(points: int, records: int) -> str:
    return f"{counted(points, 'point')} and {counted(records, 'other record')}"


def unwritable(folder: Path, error: OSError) -> DataFolderError:
    """The error for a data folder that cannot be written, with what to type."""
    return DataFolderError(
        f"Runs cannot be recorded in {folder}: {error.strerror or error}. Nothing was recorded.",
        remedy="set TRACKSIDE_DIR to a folder you can write, for example"
        " TRACKSIDE_DIR=~/trackside (in a notebook: %env TRACKSIDE_DIR=/path, then run the cell again)",
    )
