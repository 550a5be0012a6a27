"""One tracked cell: everything that goes onto its run's record, from its begin to its last late word."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Mapping, Optional

from kernel_magics.model import CaptureSettings, RunStatus
from kernel_magics.tracking import active
from kernel_magics.tracking.capture import OutputRecorder
from kernel_magics.tracking.capture_widgets import WidgetOutputs, widget_state
from kernel_magics.tracking.cell_end import Ending, how_it_ended, running_task, was_cancelled
from kernel_magics.tracking.cell_host import Message, Trouble
from kernel_magics.tracking.cell_join import Wish
from kernel_magics.tracking.inferred import Inference
from kernel_magics.tracking.recorder import Run


class TrackedCell:
    """A cell and its run.

    While the cell goes on, ``run.finish()`` of the user's only leaves its word: the outputs still to come
    belong to the run, and the cell's end closes it.

    Args:
        run: the cell's own run, just begun.
        key: the cell's key on the record.
        settings: what of the cell is recorded.
        limit: bytes of output kept.
        trouble: told what of ours failed; must not raise.
    """

    def __init__(self, run: Run, key: str, settings: CaptureSettings, limit: int, trouble: Trouble) -> None:
        self.run, self.key, self.settings, self._trouble = run, key, settings, trouble
        self._inference = Inference(run) if settings.inferred_metrics else None
        self._inside = WidgetOutputs()
        self._outputs = OutputRecorder(
            run,
            key,
            limit=limit,
            on_text=self._inference.text if self._inference else None,
            record=settings.outputs,
        )
        self._task = running_task()
        self._word: Optional[Ending] = None
        self._ending: Optional[Ending] = None
        self._closed = False
        self._pid = os.getpid()
        vars(run)["finish"] = self._left_word

    @property
    def running(self) -> bool:
        """Whether the cell's code is running, and the user has not finished its run."""
        return self._ending is None and self._word is None

    @property
    def ended(self) -> bool:
        """Whether the cell's code has ended."""
        return self._ending is not None

    @property
    def closed(self) -> bool:
        """Whether the cell's run has ended."""
        return self._closed

    def begin(self, about: Mapping[str, Any]) -> None:
        """Record that the cell begins; ``about`` as in ``docs/journal-format.md``."""
        left_out = {} if self.settings.outputs else {"outputs": False}
        self.run.record_cell({"key": self.key, **about, **left_out, "started": time.time()})

    def seen(self, message: Message, into: Optional[str]) -> None:
        """A message of the cell; ``into`` names the ``Output`` widget that shows it instead."""
        self._outputs.seen(message, into)
        if into is not None:
            self._inside.seen(into, message)
        if self._inference is not None and message.type in ("execute_result", "comm_msg"):
            self._inference.message(message.type, message.content)

    def join(self, wish: Wish) -> Run:
        """Bring the run up to what ``km.init(…)`` in the cell asked for."""
        if wish.config:
            self.run.config.update(wish.config)
        change = {"name": wish.name, "project": wish.project, "group": wish.group, "tags": list(wish.tags)}
        given = {key: value for key, value in change.items() if value}
        if given:
            self.run.change(**given)
        return self.run

    def end(
        self, error: Optional[BaseException], *, display_failed: bool, execution_count: Optional[int]
    ) -> None:
        """The cell's code has ended, by ``error`` or well. Output may still come."""
        self._ending = how_it_ended(
            error,
            self._outputs.last_error,
            interrupted=was_cancelled(self._task),
            display_failed=display_failed,
            execution_count=execution_count,
        )

    def close(self) -> None:
        """All of the cell's own output has come: the run ends. Again is the same as once."""
        if self._closed or self._ending is None:
            return
        self._closed = True
        ending = self._ending
        if self._word is not None and ending.status is RunStatus.FINISHED:
            ending = Ending(self._word.status, self._word.error, ending.execution_count)
        vars(self.run).pop("finish", None)
        if self._inference is not None:
            self._attempt(self._inference.close)
        self._attempt(self._outputs.close)
        self._attempt(self._record_widgets)
        self._attempt(lambda: self._record_end(ending))
        self.run.finish(ending.status, ending.error)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the run must end, whatever of it could not be recorded
            self._trouble(error)

    def _record_widgets(self) -> None:
        if self._outputs.views:
            state = self._inside.put_into(widget_state(self._outputs.views))
            self.run.record_output(self.key, "widget_state", state)

    def _record_end(self, ending: Ending) -> None:
        end = {"finished": time.time(), "status": str(ending.status)}
        if ending.execution_count is not None:
            end["execution_count"] = ending.execution_count
        self.run.record_cell({"key": self.key, **end})

    def _left_word(self, status: Any = RunStatus.FINISHED, error: Any = None) -> None:
        """``run.finish()`` by the user, while the cell goes on; in a forked child the end of its part."""
        if os.getpid() != self._pid:
            vars(self.run).pop("finish", None)
            self.run.finish(status, error)
            return
        described = None
        if isinstance(error, BaseException):
            described = how_it_ended(error, None, interrupted=True, display_failed=False).error
        self._word = Ending(RunStatus(status), described or error or None)
        active.leave(self.run)
        if os.environ.get(active.RUN_VARIABLE) == self.run.id:  # the run was joined: its parent's word
            del os.environ[active.RUN_VARIABLE]  # a km.init() after this is a run of its own
