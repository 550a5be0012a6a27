"""The active run of this process: ``init``, ``log``, ``finish``, and what happens when the process ends."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple, Union

from kernel_magics import paths
from kernel_magics.errors import UsageMistake
from kernel_magics.journal.writer import unwritable
from kernel_magics.model import RunStatus, is_run_id, new_run_id
from kernel_magics.tracking import cell_join, endings, exits, surroundings, tensorboard
from kernel_magics.tracking import facts as facts_of
from kernel_magics.tracking.head import RunHead
from kernel_magics.tracking.jsonable import as_mapping
from kernel_magics.tracking.labels import label, tags_of
from kernel_magics.tracking.launch import Launch, joined_launch
from kernel_magics.tracking.notices import notice
from kernel_magics.tracking.recorder import Run
from kernel_magics.tracking.scribe import Scribe

RUN_VARIABLE = "TRACKSIDE_RUN"
"""Environment variable that holds the active run's id, so that a subprocess's ``init`` joins the run."""

_runs: List[Run] = []  # the active one last; beneath it those that nested runs lie upon
_parents: List[Run] = []  # in a fork: what lay beneath the active run, which is not active again here
_launched: Dict[str, int] = {}  # runs of torchrun's ranks, and the process that is one of them


def active_run() -> Optional[Run]:
    """The run that ``init`` made last in this process and that is not finished."""
    while _runs and _runs[-1].finished:
        _runs.pop()
    return _runs[-1] if _runs else None


def init(  # noqa: PLR0913 - the public signature, wandb-shaped
    project: Optional[str] = None,
    name: Optional[str] = None,
    config: Any = None,
    tags: Iterable[str] = (),
    group: Optional[str] = None,
    *,
    data_dir: Optional[Union[str, Path]] = None,
    facts: Optional[Mapping[str, Any]] = None,
    capture: Optional[Mapping[str, bool]] = None,
    nested: bool = False,
) -> Run:
    """Begin a run; it becomes the active one. A run that was active is finished first, with a notice.

    In a tracked cell ``init`` gives that cell's run, brought up to date. In a subprocess of a process with an
    active run it joins that run, with a journal of its own.

    Args:
        project: what the run belongs to; ``"default"`` by default.
        name: what people call it; made up by default, it need not be unique.
        config: a dict, an ``argparse.Namespace`` or a dataclass.
        tags: words to find it by; one string is one tag.
        group: joins runs of one experiment.
        data_dir: where it is recorded; ``$TRACKSIDE_DIR`` or Jupyter's data folder by default.
        facts: facts known already; they are not collected again (on a GPU machine: those of home).
        capture: what to record without asking, named as in the ``[capture]`` section of the configuration;
            that section by default.
        nested: leave the run that was active open beneath this one; it is active again afterwards.

    Raises:
        DataFolderError: the data folder cannot be written; says what to type.
        ConfigurationError: the configuration is broken; says where.
        UsageMistake: an argument is not what it should be. Nothing was recorded.
    """
    wanted = _config(config)
    tags = _tags(tags)
    of_cell = cell_join.join(cell_join.Wish(project, name, wanted, tags, group))
    if isinstance(of_cell, Run):
        return of_cell
    home = surroundings.home()
    settings = surroundings.capture_settings(home.capture if capture is None else capture)
    data = paths.data_dir() if data_dir is None else Path(data_dir).expanduser().absolute()
    head = _head(project, name, tags, group)
    while _is_folder(paths.runs_dir(data) / head.id):  # somebody drew the same id this second
        head = _head(project, name, tags, group)
    previous = active_run()
    if previous is not None and previous.member and not nested and not _of_launch(previous):
        previous.config.update(wanted)
        return previous
    joined = _joined_id(data)
    launched = _launch(data) if joined is None else None
    if joined is not None:
        head = replace(head, id=joined)
    elif launched is not None:
        head = _head(project, name, tags, group, launched)
    member = joined is not None or (launched is not None and launched.rank > 0)
    run = Run(Scribe(head, data, member=member))
    if previous is not None and not nested:
        previous.finish()
        notice(f"The run {previous.name} was still active; it is finished now, because a new one begins.")
    run.config.update(wanted)
    surroundings.observe(run, settings, {**home.facts, **(facts or {})}, member=member)
    _runs.append(run)
    _tell_children()
    run.on_finish(lambda: leave(run))
    if settings.frameworks:
        tensorboard.arm(run, active_run)
    exits.hook(_finish_at_exit)
    return run


def leave(run: Run) -> None:
    """``run`` is not active any more, and goes on being recorded; the one beneath it is active again."""
    if run in _runs:
        _runs.remove(run)
    tensorboard.disarm(run)
    _tell_children()


def log(data: Mapping[str, Any], step: Optional[int] = None) -> None:
    """:meth:`Run.log` of the active run; without one a warning, said once."""
    run = _runs[-1] if _runs else None
    if run is None:
        _no_run("log")
    else:
        run.log(data, step)


def define_metric(
    name: str, *, unit: Optional[str] = None, better: Optional[str] = None, x: Optional[str] = None
) -> None:
    """:meth:`Run.define_metric` of the active run; without one a warning, said once."""
    run = active_run()
    if run is None:
        _no_run("define_metric")
    else:
        run.define_metric(name, unit=unit, better=better, x=x)


def finish(status: Union[str, RunStatus] = "finished", error: endings.Error = None) -> None:
    """:meth:`Run.finish` of the active run; nothing when there is none."""
    run = active_run()
    if run is not None:
        run.finish(status, error)


def _head(
    project: Optional[str],
    name: Optional[str],
    tags: Tuple[str, ...],
    group: Optional[str],
    launched: Optional[Launch] = None,
) -> RunHead:
    now = time.time() if launched is None else launched.created
    run_id = new_run_id(now) if launched is None else launched.run_id
    return RunHead(
        id=run_id,
        name=label(name, "name") if name else f"{surroundings.program_name()}-{run_id[-6:]}",
        project=label(project, "project") if project else "default",
        group=None if group is None else label(group, "group"),
        tags=tags,
        created=now,
    )


def _config(config: Any) -> Mapping[str, Any]:
    try:
        return as_mapping(config)
    except TypeError as error:
        raise UsageMistake(
            f"init(config=…): {error}. No run was begun.", remedy='km.init(config={"lr": 0.1})'
        ) from None


def _tags(tags: Any) -> Tuple[str, ...]:
    try:
        return tags_of(tags)
    except TypeError:
        raise UsageMistake(
            f"init(tags=…): a list of words was expected, not {type(tags).__name__}. No run was begun.",
            remedy='km.init(tags=["baseline"])',
        ) from None


def _joined_id(data: Path) -> Optional[str]:
    """The run of the process that started this one, if it records into the same data folder."""
    run_id = os.environ.get(RUN_VARIABLE, "")
    if any(run.id == run_id for run in _runs):
        return None  # a run of this very process
    if is_run_id(run_id) and _is_folder(paths.runs_dir(data) / run_id):
        return run_id
    return None


def _is_folder(path: Path) -> bool:
    """Where nothing can be seen there is none; whoever writes there says what is wrong."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _launch(data: Path) -> Optional[Launch]:
    """The run that torchrun's ranks share, in one of them."""
    try:
        launched = joined_launch(data)
    except OSError as error:
        raise unwritable(data, error) from error
    if launched is not None:
        _launched[launched.run_id] = os.getpid()
    return launched


def _of_launch(run: Run) -> bool:
    """Whether this very process, and not the one it was forked from, is a rank that takes part in ``run``."""
    return _launched.get(run.id) == os.getpid()


def _tell_children() -> None:
    """Put the active run into the environment of subprocesses to come; take ours out when there is none."""
    run = active_run()
    if run is not None:
        os.environ[RUN_VARIABLE] = run.id
    elif os.environ.get(RUN_VARIABLE) in _told:
        del os.environ[RUN_VARIABLE]
    if run is not None and (not run.member or _of_launch(run)):
        _told.add(run.id)


_told_no_run = False
_told: Set[str] = set()  # runs of this process that subprocesses were told of


def _no_run(what: str) -> None:
    global _told_no_run
    if not _told_no_run:
        _told_no_run = True
        notice(
            f"{what}() recorded nothing: no run is active. Begin one with km.init(project=…). (Said once.)"
        )


def _finish_at_exit(error: Optional[BaseException]) -> None:
    """When the interpreter ends: ``failed`` after an uncaught exception."""
    for run in reversed([*_parents, *_runs]):
        if not run.finished:
            run.finish(endings.status_of(error), error)
    facts_of.abandon_all(timeout=1.5)


def _after_fork() -> None:
    """In a forked child the active run is the parent's, and stays the one that every ``init()`` joins.

    A worker that begins and finishes with each of its tasks must not forget which run that is: neither take
    what the parent told its children out of the environment, nor go on with a run beneath.
    """
    _told.clear()
    _parents.extend(_runs[:-1])
    del _runs[:-1]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
