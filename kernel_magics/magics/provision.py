"""``%gpu_provision`` and its companions: a kernel on a GPU, and back.

A magic parses, calls and shows; what it does is in :mod:`kernel_magics.magics.provision_session`, which
needs a notebook's kernel and is imported only where there is one.
"""

from __future__ import annotations

import ast
import os
from typing import Any, Optional

from IPython.core.error import InputRejected
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from kernel_magics import paths
from kernel_magics.bridge.cells import Place, magics_of, place_of_tree
from kernel_magics.errors import TracksideError, UsageMistake
from kernel_magics.magics.suggestion import parsed

_MOVES_CELLS = frozenset({"gpu_provision", "gpu_attach"})


class MixedCell(UsageMistake, InputRejected):
    """``%gpu_provision`` shares a cell with other code. Nothing of the cell was run."""


class NeedsKernel(TracksideError):
    """This magic works in a notebook's kernel only."""


@magics_class
class GpuMagics(Magics):
    """A kernel on a GPU for this notebook."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._session: Optional[Any] = None
        self._door: Optional[Any] = None

    @property
    def session(self) -> Any:
        """The notebook's remote kernel; made at first use."""
        if self._session is None:
            self._session = make_session(self.shell)
        return self._session

    @magic_arguments()
    @argument("spec", nargs="?", help="a100, a100-80gb, a100:2, gpu, any>=24gb, cpu")
    @argument("--or", dest="alternatives", action="append", default=[], help="taken if there is no SPEC")
    @argument("--name", help="what to call it; default: the GPU's name")
    @argument("--new", action="store_true", help="rent another one even if this notebook has one that fits")
    @argument("--bg", action="store_true", help="in the background: cells run here until it is ready")
    @argument("--on", metavar="TARGET", help="only this target of trackside.toml or ssh host")
    @argument("--python", metavar="PATH", help="the Python there; needs --on")
    @argument("--install", action="store_true", help="make an environment there, with ipykernel")
    @argument("--requirements", metavar="FILE", help="have pip install these there")
    @argument("--idle", metavar="TIME", help="release it when nothing has run for so long: 30m, 2h, off")
    @argument("--max-usd-per-hour", type=float, metavar="USD", help="of all that runs; instead of [limits]")
    @argument("--max-usd-per-day", type=float, metavar="USD", help="of today; instead of [limits]")
    @line_magic
    def gpu_provision(self, line: str) -> None:
        """Start a kernel on a GPU; from the next cell on, cells run there."""
        options = parsed(self.gpu_provision, line, "%gpu_provision a100 --or cpu")
        if not options.spec:
            raise UsageMistake(
                "%gpu_provision needs to know which GPU. Nothing was rented.", "%gpu_provision a100 --or cpu"
            )
        session = self.session
        environment = session.environment(options.python, options.install, options.requirements)
        terms = session.terms(options.idle, options.max_usd_per_hour, options.max_usd_per_day)
        from kernel_magics.magics.provision_wanted import Wanted, typed_of

        where = {"name": options.name, "new": options.new, "target": options.on}
        more = {"environment": environment, "terms": terms, "background": options.bg}
        session.provision(Wanted(typed_of(options), **where, **more))

    @magic_arguments()
    @line_magic
    def gpu_status(self, line: str) -> None:
        """Which machines are yours, and where this notebook's cells run."""
        parsed(self.gpu_status, line, "%gpu_status")
        self.session.show_status()

    @magic_arguments()
    @argument("name", nargs="?", help="as %%gpu_status shows it; default: the one of this notebook")
    @line_magic
    def gpu_release(self, line: str) -> None:
        """End the remote kernel and give the machine back; cells run here again."""
        options = parsed(self.gpu_release, line, "%gpu_release [NAME]")
        self.session.release(options.name)

    @magic_arguments()
    @line_magic
    def gpu_restart(self, line: str) -> None:
        """Start the remote kernel afresh on the same machine; its variables are gone."""
        parsed(self.gpu_restart, line, "%gpu_restart")
        self.session.restart()

    @magic_arguments()
    @argument("name", nargs="?", help="as %%gpu_status shows it; default: the one of this notebook")
    @argument("--take", action="store_true", help="also if another notebook holds it, which then lets go")
    @line_magic
    def gpu_attach(self, line: str) -> None:
        """Run cells on a machine that is still yours from before; its variables are there."""
        options = parsed(self.gpu_attach, line, "%gpu_attach [NAME] [--take]")
        self.session.attach(options.name, take=options.take)

    @magic_arguments()
    @argument("spec", nargs="?", help="as for %%gpu_provision; default: every GPU")
    @argument("--on", metavar="TARGET", help="only this target of trackside.toml or ssh host")
    @line_magic
    def gpu_offers(self, line: str) -> None:
        """What is to be had now, and at what price. Rents nothing."""
        options = parsed(self.gpu_offers, line, "%gpu_offers [SPEC]")
        self.session.show_offers(options.spec, target=options.on)

    @magic_arguments()
    @argument("names", nargs="*", help="variables of the notebook's own kernel")
    @line_magic
    def gpu_push(self, line: str) -> None:
        """Take variables to the kernel that this notebook's cells run on."""
        options = parsed(self.gpu_push, line, "%gpu_push NAME …")
        self._variables().push(options.names)

    @magic_arguments()
    @argument("names", nargs="*", help="variables of the kernel that this notebook's cells run on")
    @line_magic
    def gpu_pull(self, line: str) -> None:
        """Bring variables here. What is more than data is a pickle: it runs code of that machine here."""
        options = parsed(self.gpu_pull, line, "%gpu_pull NAME …")
        self._variables().pull(options.names)

    @magic_arguments()
    @argument("path", nargs="?", help="a file or folder there, as a cell would name it")
    @argument("dest", nargs="?", help="where to put it here; default: its name, in this folder")
    @argument("--overwrite", action="store_true", help="replace files here that differ")
    @line_magic
    def gpu_get(self, line: str) -> None:
        """Bring a file or a folder here from the machine that this notebook's cells run on."""
        options = parsed(self.gpu_get, line, "%gpu_get PATH [DEST]")
        if not options.path:
            raise UsageMistake("%gpu_get needs to know what. Nothing was done.", "%gpu_get results/model.pt")
        from kernel_magics.magics.transfer_files import get

        road, lease, _ = self.session.road()
        get(road, lease, options.path, options.dest, options.overwrite)

    def _variables(self) -> Any:
        from kernel_magics.magics.transfer import Variables

        road, lease, data_dir = self.session.road()
        return Variables(road, self.shell, data_dir, lease)

    def open_door(self) -> bool:
        """Whether this kernel's spec asks for a machine; its first cell then gets it."""
        if self._door is None:
            from kernel_magics.magics.door import door_of

            self._door = door_of(self.shell.kernel, os.environ, self)
            if self._door is not None:
                self._door.install()
        return self._door is not None

    def let_go(self) -> None:
        """Cells run here again; the remote kernel goes on."""
        if self._session is not None:
            self._session.leave()
        if self._door is not None:
            self._door.remove()


class WholeCells(ast.NodeTransformer):
    """Refuses a cell that mixes ``%gpu_provision`` with other code, before any of it runs."""

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Module) and _is_mixed(node):
            raise MixedCell(
                "The lines around this magic would run on the wrong machine. Nothing of the cell was run.",
                "the magic in a cell of its own; the cells after it run there",
            )
        return node


def _is_mixed(cell: ast.Module) -> bool:
    moves = not _MOVES_CELLS.isdisjoint(magics_of(cell))
    return moves and place_of_tree(cell) is Place.MIXED


def make_session(shell: Any) -> Any:
    """The session of a notebook's kernel.

    Raises:
        NeedsKernel: this is plain IPython.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        raise NeedsKernel(
            "The %gpu_… magics need the kernel of a notebook (JupyterLab, Notebook, VS Code, nbclient). This "
            "is plain IPython: cells run in this process and nowhere else. %%track, %runs and %compare work.",
            "jupyter lab",
        )
    from kernel_magics.magics.provision_session import GpuSession

    return GpuSession(kernel, paths.data_dir(), os.environ)


def register(ip: Any) -> None:
    """Install the magics. Installing them twice is the same as once, also while a remote kernel is held."""
    magics = ip.magics_manager.registry.get(GpuMagics.__name__) or GpuMagics(ip)
    ip.register_magics(magics)
    _remove_transformer(ip)
    ip.ast_transformers.append(WholeCells())
    if getattr(ip, "kernel", None) is not None and not magics.open_door():
        from kernel_magics.magics.provision_reminder import remind

        remind(ip)


def unregister(ip: Any) -> None:
    """The inverse of :func:`register`; a remote kernel goes on, and cells run here again."""
    known = ip.magics_manager.registry.pop(GpuMagics.__name__, None)
    if known is not None:
        known.let_go()
    for name in GpuMagics.magics["line"]:
        ip.magics_manager.magics["line"].pop(name, None)
    _remove_transformer(ip)


def _remove_transformer(ip: Any) -> None:
    # By name: a reloaded module has a new class of the same name.
    ip.ast_transformers[:] = [
        known for known in ip.ast_transformers if type(known).__name__ != WholeCells.__name__
    ]
