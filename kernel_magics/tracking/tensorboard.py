"""Scalars that a program writes for TensorBoard land in the run too, while a run is active.

``SummaryWriter.add_scalar`` and ``add_scalars`` of ``torch.utils.tensorboard`` and of ``tensorboardX`` are
wrapped while a run is active, and are as they were when none is. Nothing is imported for it: a writer that is
imported later is wrapped when its module is. Source: both packages' ``writer.py``.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from kernel_magics.tracking.notices import notice
from kernel_magics.tracking.recorder import Run

MODULES = ("torch.utils.tensorboard.writer", "tensorboardX.writer")
_METHODS = ("add_scalar", "add_scalars")

_guard = threading.RLock()
_armed: List[Run] = []
_wrapped: Dict[Tuple[type, str], Tuple[Any, Any]] = {}  # class, method -> the original and ours
_active_run: Optional[Callable[[], Optional[Run]]] = None
_told: List[str] = []


def arm(run: Run, active_run: Callable[[], Optional[Run]]) -> None:
    """From now on scalars go to ``run`` whenever ``active_run()`` is it."""
    global _active_run
    with _guard:
        _active_run = active_run
        _armed.append(run)
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        for name in MODULES:
            if name in sys.modules:
                _wrap(sys.modules[name])


def disarm(run: Run) -> None:
    """No more for ``run``; with the last run the writers are what they were before."""
    with _guard:
        if run in _armed:
            _armed.remove(run)
        if _armed:
            return
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        for (writer, method), (original, ours) in _wrapped.items():
            if vars(writer).get(method) is ours:  # else somebody wrapped ours: it stays, and does nothing
                setattr(writer, method, original)
        _wrapped.clear()


def _wrap(module: Any) -> None:
    """Wrap the methods of the module's ``SummaryWriter``; one that is not there yet is left alone."""
    writer = vars(module).get("SummaryWriter")
    for method in _METHODS if isinstance(writer, type) else ():
        original = vars(writer).get(method)
        if callable(original) and (writer, method) not in _wrapped:
            record = _scalar if method == "add_scalar" else _scalars
            ours = _recording((writer, method), original, record)
            _wrapped[writer, method] = (original, ours)
            setattr(writer, method, ours)


def _recording(
    key: Tuple[type, str], original: Callable[..., Any], record: Callable[..., None]
) -> Callable[..., Any]:
    """``original``, and what it was given goes to the run once it has returned.

    Only while ``key`` is wrapped by this very function: one left over beneath somebody else's wrapper would
    record a second time.
    """

    @functools.wraps(original)
    def recorded(*args: Any, **named: Any) -> Any:
        result = original(*args, **named)
        try:
            if _wrapped.get(key, (None, None))[1] is recorded:
                record(*args, **named)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end a training
            _tell(error)
        return result

    return recorded


def _scalar(_writer: Any, tag: Any, scalar_value: Any, global_step: Any = None, *_: Any, **__: Any) -> None:
    run = _taker()
    if run is not None:
        run.log({str(tag): scalar_value}, _step(global_step))


def _scalars(
    _writer: Any, main_tag: Any, tag_scalar_dict: Any, global_step: Any = None, *_: Any, **__: Any
) -> None:
    run = _taker()
    if run is not None:
        data = {f"{main_tag}/{tag}": value for tag, value in tag_scalar_dict.items()}
        run.log(data, _step(global_step))


def _taker() -> Optional[Run]:
    run = _active_run() if _active_run is not None else None
    return run if run in _armed else None


def _step(global_step: Any) -> Optional[int]:
    """As the event file has it: torch and tensorboardX write ``int(global_step)``."""
    return None if global_step is None else int(global_step)


def _tell(error: Exception) -> None:
    kind = type(error).__name__
    if kind not in _told:
        _told.append(kind)
        notice(f"A scalar written through a SummaryWriter is not in the run ({kind}: {error}). (Said once.)")


class _Finder:
    """Lets the other finders find a writer's module, and wraps its classes when it has been executed."""

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None, target: Any = None) -> Any:
        if name not in MODULES:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                _wrap_when_executed(spec.loader)
                return spec
        return None


def _wrap_when_executed(loader: Any) -> None:
    """The loader stays the one it is; its next ``exec_module`` of a writer's module wraps the writer."""
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: Any) -> None:
        execute(module)
        if module.__name__ in MODULES:
            vars(loader).pop("exec_module", None)
            with _guard:
                if _armed:
                    _wrap(module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        _tell(AttributeError(f"a {type(loader).__name__} cannot be watched"))


_finder = _Finder()


def _forget_threads() -> None:
    """In a forked child: a thread that held the lock is not there."""
    global _guard
    _guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
