"""IPython in a terminal as far as tracking touches it: there are no messages, so they are made here.

Every private name of IPython's terminal that tracking uses is in this file.
"""

from __future__ import annotations

import base64
import builtins
import functools
import json
import os
import sys
from typing import Any, Callable, Dict, List, Mapping, Optional

from kernel_magics.tracking.cell_host import Message, Sink, Trouble

KEY = "terminal"

_PRINTS_ITSELF = (
    'In plain IPython %%track records what Python writes; output of child processes ("!cmd", forks) \
and what was written when the cell had ended is shown, but not recorded.'
)


class TerminalHost:
    """Plain IPython: display, results, tracebacks and the two streams are wrapped where they begin."""

    waits_for_idle = False
    limits: Optional[str] = _PRINTS_ITSELF

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._pid = os.getpid()
        self._quiet = 0
        self._sink: Optional[Sink] = None
        self._trouble: Trouble = _ignore
        self._undo: List[Callable[[], None]] = []
        self._undo_cell: List[Callable[[], None]] = []

    def key(self) -> str:
        return KEY

    def metadata(self) -> Mapping[str, Any]:
        return {}

    def session(self) -> Optional[str]:
        return None

    def kernel_id(self) -> Optional[str]:
        return None

    def note(self, text: str, html: str) -> None:
        """Nothing: what a program prints in a terminal is read by other programs as well."""

    def display_failed(self) -> bool:
        return False

    def tap(self, sink: Sink, trouble: Trouble) -> None:
        """Wrap display, results and tracebacks; the streams only while a cell runs."""
        self._sink, self._trouble = sink, trouble
        shell, hook = self._shell, self._shell.displayhook
        self._wrap(shell.display_pub, "publish", self._published, quiet=True)
        self._wrap(hook, "write_format_data", self._result, quiet=True)
        self._wrap(hook, "write_output_prompt", None, quiet=True)
        self._wrap(hook, "finish_displayhook", None, quiet=True)
        self._wrap(shell, "_showtraceback", self._error, quiet=True)

    def untap(self) -> None:
        self.cell_ends()
        while self._undo:
            self._undo.pop()()
        self._sink = None

    def cell_begins(self) -> None:
        """Wrap the streams and ``input``.

        IPython 9 puts ``write`` back at each cell's end, which drops a wrapper that was there before.
        """
        for name in ("stdout", "stderr"):
            self._wrap_stream(getattr(sys, name), name)
        self._wrap_input()

    def cell_ends(self) -> None:
        while self._undo_cell:
            self._undo_cell.pop()()

    # -- what is wrapped ---------------------------------------------------------------------

    def _tell(self, kind: str, content: Mapping[str, Any]) -> None:
        if self._sink is None or os.getpid() != self._pid:
            return
        try:
            text = json.dumps(content, default=_plain).encode()
            self._sink(Message(KEY, "execute_request", kind, text))
        except Exception as error:  # noqa: BLE001 - tracking never raises into the cell; trouble() tells
            self._trouble(error)

    def _wrap(self, owner: Any, name: str, after: Optional[Callable[..., None]], quiet: bool) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._quiet += quiet  # what this prints is the terminal's picture of it, not text of the user's
            try:
                result = original(*args, **kwargs)
            finally:
                self._quiet -= quiet
            if after is not None:
                after(*args, **kwargs)
            return result

        self._undo.append(_replace(owner, name, wrapper))

    def _wrap_stream(self, stream: Any, name: str) -> None:
        write = stream.write

        @functools.wraps(write)
        def wrapper(text: Any, *args: Any, **kwargs: Any) -> Any:
            result = write(text, *args, **kwargs)
            if text and not self._quiet:
                self._tell("stream", {"name": name, "text": str(text)})
            return result

        self._undo_cell.append(_replace(stream, "write", wrapper))

    def _wrap_input(self) -> None:
        ask = builtins.input

        @functools.wraps(ask)
        def wrapper(prompt: object = "", /) -> str:
            self._tell("input_request", {"prompt": str(prompt), "password": False})
            self._quiet += 1
            try:
                return ask(prompt)
            finally:
                self._quiet -= 1
                self._tell("input_done", {})

        builtins.input = wrapper

        def undo() -> None:
            if builtins.input is wrapper:
                builtins.input = ask

        self._undo_cell.append(undo)

    def _published(self, data: Any, metadata: Any = None, _source: Any = None, **more: Any) -> None:
        kind = "update_display_data" if more.get("update") else "display_data"
        self._tell(kind, {"data": data, "metadata": metadata or {}, "transient": more.get("transient") or {}})

    def _result(self, format_dict: Any, md_dict: Any = None) -> None:
        count = self._shell.displayhook.prompt_count
        self._tell(
            "execute_result", {"data": format_dict, "metadata": md_dict or {}, "execution_count": count}
        )

    def _error(self, etype: Any, evalue: Any, stb: Any) -> None:
        lines = stb if isinstance(stb, list) else str(stb).split("\n")
        self._tell("error", {"ename": etype.__name__, "evalue": str(evalue), "traceback": lines})


def _replace(owner: Any, name: str, wrapper: Any) -> Callable[[], None]:
    """Put ``wrapper`` on the instance; the answer undoes it, if nobody wrapped it in turn."""
    had: Dict[str, Any] = {}
    if name in getattr(owner, "__dict__", {}):
        had[name] = owner.__dict__[name]
    setattr(owner, name, wrapper)

    def undo() -> None:
        if getattr(owner, "__dict__", {}).get(name) is not wrapper:
            return
        if had:
            setattr(owner, name, had[name])
        else:
            delattr(owner, name)

    return undo


def _plain(value: Any) -> Any:
    """JSON for what a display may hold: bytes as base64, the way a notebook spells them; else its repr."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    return repr(value)


def _ignore(_error: BaseException) -> None:
    """Before :meth:`TerminalHost.tap` nothing can fail."""
