"""Tracking the cells of a shell that begin with ``%%track``.

IPython's events say when a cell begins and ends; its messages are seen on their way out, by the
``msg_id`` of the request they answer. The user's code runs as it always does: there is no frame of
ours around it, and an exception stays an exception.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Dict, Iterator, Optional

from kernel_magics.errors import TracksideError
from kernel_magics.tracking import active, cell_join
from kernel_magics.tracking.capture import LIMIT_BYTES, OutputWidgets
from kernel_magics.tracking.cell_facts import capture_of, facts_of, note_of
from kernel_magics.tracking.cell_host import Host, Message, host_of, silent_info
from kernel_magics.tracking.cell_line import TrackOptions, comment_out, find_track_line, parse_options
from kernel_magics.tracking.cell_name import RunName
from kernel_magics.tracking.cell_record import TrackedCell
from kernel_magics.tracking.cell_refusal import Refusal
from kernel_magics.tracking.cell_source import SourceMemory, literal_config, python_of
from kernel_magics.tracking.cell_stack import Body, Stacks
from kernel_magics.tracking.recorder import Run

_REMEMBERED_CELLS = 64
_LATE_PARENTS = frozenset(("kernel_info_request", "comm_info_request", "complete_request", "inspect_request"))


class CellTracker:
    """Tracks the cells of one shell.

    Args:
        shell: IPython's shell.
        limit: bytes of output kept per cell.
        host: where cells run; found by default.
    """

    def __init__(self, shell: Any, limit: int = LIMIT_BYTES, host: Optional[Host] = None) -> None:
        self._shell, self._limit = shell, limit
        self._host = host if host is not None else host_of(shell)
        self._pid = os.getpid()
        self._stacks = Stacks()
        self._cells: OrderedDict[str, TrackedCell] = OrderedDict()  # by request; stays for late output
        self._last: Optional[TrackedCell] = None
        self._widgets = OutputWidgets()
        self._sources = SourceMemory()
        self._refusal = Refusal()
        self._name = RunName(shell)
        self._troubles: Dict[str, int] = {}
        self._limits_told = False
        self._noting = 0
        """The thread that shows a line of ours now."""
        self._installed = self._leaving = False
        self._events = {
            "pre_execute": self._before_silent,
            "pre_run_cell": self._before,
            "post_execute": self._after_silent,
            "post_run_cell": self._after,
        }

    def install(self) -> None:
        """Watch the shell's cells; again is the same as once."""
        self._leaving = False
        if self._installed:
            return
        self._installed = True
        self._shell.input_transformers_cleanup.append(comment_out)
        self._shell.ast_transformers.append(self._refusal)
        for event, callback in self._events.items():
            self._shell.events.register(event, callback)
        self._host.tap(self._seen, self._trouble)
        cell_join.set_joiner(self._join)

    def uninstall(self) -> None:
        """Leave the shell as it was; from within tracked cells when these are recorded to their end."""
        self._leaving = True
        self._leave_when_done()

    @property
    def installed(self) -> bool:
        """Whether the shell's cells are watched."""
        return self._installed and not self._leaving

    def _leave_when_done(self) -> None:
        if not (self._installed and self._leaving) or any(not cell.closed for cell in self._cells.values()):
            return
        self._installed = self._leaving = False
        cell_join.set_joiner(None)
        self._host.untap()
        for event, callback in self._events.items():
            self._shell.events.unregister(event, callback)
        for transformers, ours in (
            (self._shell.input_transformers_cleanup, comment_out),
            (self._shell.ast_transformers, self._refusal),
        ):
            if ours in transformers:
                transformers.remove(ours)
        self._name.unbind()

    @contextmanager
    def body(self, source: str, options: TrackOptions) -> Iterator[None]:
        """Track what runs in the ``with`` block as a cell of its own; in a tracked cell as a part of it."""
        __tracebackhide__ = True  # IPython leaves such frames out
        key = self._host.key()
        tracked = self._stacks.tracked(key)
        running = self._stacks.push(key, Body(source))
        raised: Optional[BaseException] = None
        try:
            if tracked is None:
                running.cell = self._open(running.info, key, options)
            yield
        except BaseException as error:
            raised = error
            raise
        finally:
            self._stacks.pop(key, running.info)
            if running.cell is not None:
                self._end(running.cell, raised, nested=True)

    # -- begin -------------------------------------------------------------------------------

    def _before(self, info: Any) -> None:
        try:
            self._refusal.allow()
            key = self._host.key()
            tracked = self._stacks.tracked(key)
            running = self._stacks.push(key, info)
            line = find_track_line(info.raw_cell or "")
            if line is not None and tracked is None:
                running.cell = self._open(info, key, parse_options(line))
        except TracksideError as error:
            self._refusal.refuse(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the cell from running
            print(
                f"Trackside: this cell runs, but is not recorded as it should be ({error!r}).",
                file=sys.stderr,
            )
            self._trouble(error)

    def _before_silent(self) -> None:
        """``%run x.ipynb`` runs its cells silently, which fires no ``pre_run_cell``."""
        info = silent_info()
        if info is not None and find_track_line(info.raw_cell or "") is not None:
            self._before(info)

    def _open(self, info: Any, key: str, options: TrackOptions) -> TrackedCell:
        metadata = self._host.metadata()
        settings = capture_of(metadata, options)
        source = info.raw_cell if settings.source else ""
        config = literal_config(python_of(self._shell, source))
        facts = facts_of(self._host, info, metadata, source)
        run = active.init(
            project=options.project,
            name=options.name,
            config=config,
            tags=options.tags,
            group=options.group,
            facts=facts,
            capture=asdict(settings),
            nested=True,  # a run that the user began in an earlier cell goes on, and is active again
        )
        if config:
            run.record_facts({"config_from_source": sorted(config)})
        nested = self._stacks.depth(key) > 1
        cell = TrackedCell(run, f"{key}-{run.id}" if nested else key, settings, self._limit, self._trouble)
        self._remember(key, cell)
        cell.begin(
            {
                "cell_id": facts.get("cell_id"),
                "execution_count": self._shell.execution_count - bool(info.store_history),
                "source": source,
                "notebook": facts.get("notebook"),
                "name": options.name,
                "session": self._host.session(),
            }
        )
        self._compare_source(cell, facts.get("cell_id") or f"{options.project}/{options.name}", source)
        self._say_limits()
        self._host.cell_begins()
        self._name.bind(run)
        return cell

    def _remember(self, request: str, cell: TrackedCell) -> None:
        self._cells[request] = self._last = cell
        self._cells.move_to_end(request)
        while len(self._cells) > _REMEMBERED_CELLS:
            self._cells.popitem(last=False)

    def _compare_source(self, cell: TrackedCell, identity: str, source: str) -> None:
        changed = self._sources.changed_from(identity, cell.run.id, source) if source else None
        if changed is not None:
            cell.run.record_facts({"source_changed_from": changed})

    def _say_limits(self) -> None:
        if self._host.limits and not self._limits_told:
            self._limits_told = True
            print(f"Trackside: {self._host.limits}", file=sys.stderr)

    # -- while it runs -----------------------------------------------------------------------

    def _seen(self, message: Message) -> None:
        """Every message that leaves the kernel passes here, on whatever thread sends it."""
        if not self._cells or self._noting == threading.get_ident():
            return
        if message.type in ("comm_msg", "comm_close"):
            self._widgets.watch(message)
        cell = self._cells.get(message.parent_id)
        if cell is None:
            # ipykernel 7 gives a thread that prints later the newest request of any kind as its parent.
            if message.type != "stream" or message.parent_type not in _LATE_PARENTS or self._last is None:
                return
            cell = self._last
        if message.type != "status":
            cell.seen(message, self._widgets.target(message.parent_id))
        elif cell.ended and b'"idle"' in message.content:
            cell.close()
            self._leave_when_done()

    def _join(self, wish: cell_join.Wish) -> Optional[Run]:
        """``km.init()`` in a tracked cell: its run, brought up to date; not after the user finished it."""
        cell = self._stacks.tracked(self._host.key())
        if cell is None or not cell.running or os.getpid() != self._pid:
            return None
        return cell.join(wish)

    # -- end ---------------------------------------------------------------------------------

    def _after(self, result: Any) -> None:
        try:
            self._refusal.allow()
            key = self._host.key()
            # Without a result an exception is on its way through IPython: the one being handled now.
            error = sys.exc_info()[1] if result is None else result.error_before_exec or result.error_in_exec
            running = self._stacks.pop(key, getattr(result, "info", None))
            if running is not None and running.cell is not None:
                nested = self._stacks.depth(key) > 0
                count = getattr(result, "execution_count", None)
                self._end(running.cell, error, nested=nested, execution_count=count)
        except Exception as error:  # noqa: BLE001 - an exception here would print into the cell; it is told once
            self._trouble(error)

    def _after_silent(self) -> None:
        result = self._shell.last_execution_result
        if result is not None and result.info is not None and result.info.silent:
            self._after(result)

    def _end(
        self,
        cell: TrackedCell,
        error: Optional[BaseException],
        *,
        nested: bool,
        execution_count: Optional[int] = None,
    ) -> None:
        """The code has ended; the run ends with the request's last message, where there are messages."""
        self._host.cell_ends()
        cell.end(error, display_failed=self._host.display_failed(), execution_count=execution_count)
        if nested or not self._host.waits_for_idle:
            cell.close()
        wanted = cell.settings.note and not nested and not self._host.display_failed()
        if wanted and error is None and cell.run.is_kept():
            self._note(cell.run)
        if nested:  # what comes now under this request is of the cell around it
            self._cells = OrderedDict((key, other) for key, other in self._cells.items() if other is not cell)
        self._leave_when_done()

    def _note(self, run: Run) -> None:
        """One line that says it went well and where to look; it is not one of the cell's outputs."""
        text, markup = note_of(run)
        self._noting = threading.get_ident()
        try:
            self._host.note(text, markup)
        finally:
            self._noting = 0

    def _trouble(self, error: BaseException) -> None:
        """Tracking itself failed: say it once per kind, beside the cell and on the record."""
        kind = f"{type(error).__name__}: {error}"
        self._troubles[kind] = self._troubles.get(kind, 0) + 1
        if self._troubles[kind] > 1:
            return
        try:
            print(f"Trackside: a part of this cell may not be recorded ({kind}).", file=sys.__stderr__)
            if self._last is not None:
                self._last.run.record_event("tracking-trouble", level="error", detail=kind)
        except Exception as again:  # noqa: BLE001 - counted; there is nobody left to tell
            self._troubles[repr(again)] = self._troubles.get(repr(again), 0) + 1
