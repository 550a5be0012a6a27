"""``%runs`` and ``%compare``: what is on the record, without leaving the notebook.

Each magic parses, calls, shows. The logic is in :mod:`kernel_magics.figures` and works without IPython.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from kernel_magics.errors import UsageMistake
from kernel_magics.figures import View, choose_runs, compare, runs_listing, save_comparison
from kernel_magics.figures.listing import known_projects, where_hints
from kernel_magics.figures.palette import STYLES
from kernel_magics.magics.suggestion import parsed
from kernel_magics.model import counted
from kernel_magics.store import Store, open_store

LIMIT = 20
_NAMES = ("runs", "compare")


@magics_class
class RunMagics(Magics):
    """Lists and compares runs of the data folder."""

    @magic_arguments()
    @argument("project", nargs="?", help="only runs of this project")
    @argument("--limit", type=int, default=LIMIT, help=f"at most so many, newest first (default: {LIMIT})")
    @argument("--all", action="store_true", help="all of them")
    @argument("--where", metavar="FILTER", help="last on the line; only these: --where config.lr < 0.1")
    @line_magic
    def runs(self, line: str) -> None:
        """List the runs on the record, newest first."""
        # A filter has quotes and signs of its own: what follows --where is left as it was typed.
        line, given, where = line.partition("--where")
        arguments = parsed(self.runs, line, "%runs [PROJECT] [--limit N]")
        if arguments.limit < 1:
            raise UsageMistake("--limit is at least 1. Nothing was listed.", remedy="%runs --limit 20")
        with open_store() as store:
            store.refresh()
            found = store.runs(project=arguments.project, where=where if given else None)
            shown = found if arguments.all else found[: arguments.limit]
            note = _note(len(shown), len(found), arguments.project)
            if arguments.project and not found:
                note += known_projects(store)
            if given and not found:
                hints = where_hints(store.runs(project=arguments.project), where)
                note = " ".join(["No run is meant by this filter.", *hints])
            display(runs_listing(store, shown, note))

    @magic_arguments()
    @argument("run", nargs="*", help="id, beginning or end of an id, or name")
    @argument("--project", help="only runs of this project")
    @argument("--last", type=int, help="so many of the newest (default: 5)")
    @argument("--x", default="auto", help="the charts' x axis: step, relative, time, or a metric's name")
    @argument("--log", action="store_true", help="a logarithmic y axis")
    @argument(
        "--group-by", help="mean and range of runs with the same group, tags, project, name or config.KEY"
    )
    @argument("--smoothing", type=float, default=0.0, help="weight of the past, from 0 to below 1")
    @argument("--band", default="range", help="around the mean of a group: range, or std")
    @argument("--baseline", metavar="RUN", help="the one of these runs that the others are compared with")
    @argument("--styles", metavar="N,N", help="numbers of the lines' styles, as the panel gave them")
    @argument("--inferred", action="store_true", help="also inferred metrics that were logged as well")
    @argument("--save", metavar="FILE", help="write it as .html, .png, or .ipynb, instead of showing it")
    @line_magic
    def compare(self, line: str) -> None:
        """Show runs side by side: a chart per metric, settings with their differences, what they came to.

        Without a RUN: the last runs of the newest run's group, or of its project.
        """
        arguments = parsed(self.compare, line, "%compare [RUN]… [--last N]")
        with open_store() as store:
            store.refresh()
            choice = choose_runs(store, arguments.run, arguments.project, arguments.last)
            view = _view(store, arguments, choice.run_ids)
            if arguments.save:
                print(save_comparison(store, choice.run_ids, arguments.save, view))
            else:
                display(compare(store, choice.run_ids, view, choice.reason))


def _view(store: Store, arguments: Any, run_ids: Sequence[str]) -> View:
    """How ``%compare``'s options want it shown."""
    named = arguments.baseline
    baseline = None if named is None else choose_runs(store, [named], arguments.project).run_ids[0]
    return View(
        arguments.x,
        arguments.log,
        arguments.group_by,
        arguments.smoothing,
        baseline=baseline,
        band=arguments.band,
        inferred=arguments.inferred,
        styles=_styles(arguments.styles, run_ids),
    )


def _styles(said: str | None, run_ids: Sequence[str]) -> dict[str, int]:
    """``--styles``: a number for each run, in their order; none when it was not given."""
    if said is None:
        return {}
    numbers = [int(one) for one in said.split(",") if one.isdecimal() and int(one) < STYLES]
    if len(numbers) != len(run_ids) or said.count(",") != len(run_ids) - 1:
        raise UsageMistake(
            f"--styles has a number from 0 to {STYLES - 1} for each of the runs, with commas between them."
            f" Here that is {counted(len(run_ids), 'run')}. Nothing was compared.",
            remedy="%compare RUN RUN --styles 0,9",
        )
    return dict(zip(run_ids, numbers, strict=True))


def _note(shown: int, found: int, project: str | None) -> str:
    where = f" in project {project!r}" if project else ""
    if not found:
        return f"There are no runs{where} yet. %%track in the first line of a cell makes one."
    if shown < found:
        return f"{shown} of {found:,} runs{where}; %runs --all lists them all."
    return ""


def register(ip: Any) -> None:
    """Offer the magics in an IPython shell; again is the same as once."""
    ip.register_magics(RunMagics)


def unregister(ip: Any) -> None:
    """The inverse of :func:`register`."""
    for name in _NAMES:
        ip.magics_manager.magics["line"].pop(name, None)
    ip.magics_manager.registry.pop(RunMagics.__name__, None)
