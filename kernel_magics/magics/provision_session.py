"""The remote kernel of one notebook: getting it, coming back to it, giving it back."""

from __future__ import annotations

import atexit
import time
from functools import partial
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from gpu_provisioner import provisioner, typed
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.config import load_targets
from gpu_provisioner.errors import BadRequest, LeaseHeld, ProvisionError
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease
from kernel_magics.bridge.bridge import Bridge
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.errors import UsageMistake
from kernel_magics.magics.provision_background import Background, BeingGot, Getting
from kernel_magics.magics.provision_display import OffersTable, Progress, StatusDisplay, status_table
from kernel_magics.magics.provision_endings import (
    ended_lately,
    ending,
    fetched_by_name,
    is_over,
    rest_sentence,
)
from kernel_magics.magics.provision_environment import environment_of, must_have, with_python
from kernel_magics.magics.provision_facts import kernel_id_of, notebook_path
from kernel_magics.magics.provision_joining import Home, Joining, Rent, get
from kernel_magics.magics.provision_leases import cost_clause, duration, fits, named_lease
from kernel_magics.magics.provision_login import log_in_to_lease, log_in_to_target
from kernel_magics.magics.provision_orphans import look_for_orphans
from kernel_magics.magics.provision_reminder import leases_of_notebook
from kernel_magics.magics.provision_targets import targets_named
from kernel_magics.magics.provision_terms import must_have_terms, terms_of
from kernel_magics.magics.provision_wanted import Wanted
from kernel_magics.magics.provision_where import Where
from kernel_magics.magics.transfer import Road, road_over


class GpuSession:
    """What the ``%gpu_…`` magics of one notebook share.

    Args:
        kernel: the notebook's ipykernel.
        data_dir: the data folder.
        environ: the environment, for the notebook's path.
    """

    def __init__(self, kernel: Any, data_dir: Path, environ: Mapping[str, str]) -> None:
        local = LocalKernel(kernel)
        self._local = local
        self._data_dir = data_dir
        self._book = LeaseBook(data_dir)
        self._environ = environ
        self._notebook = notebook_path(environ)
        connection_file = str(getattr(getattr(kernel, "parent", None), "connection_file", "") or "")
        self._kernel_id = kernel_id_of(connection_file)
        self._home = Home(local, data_dir, environ, self._notebook, self._kernel_id)
        self._where = Where(self._home)
        self._background = Background(local, self._move_between_cells, self._where.say)
        atexit.register(self.leave, mute=True)

    # -- the magics

    environment = staticmethod(environment_of)
    terms = staticmethod(terms_of)

    def provision(self, wanted: Wanted) -> None:
        """``%gpu_provision``."""
        getting = self._background.current
        if getting is not None:
            self._wait_for_the_same(wanted, getting)
            return
        requests = wanted.requests()
        targets = with_python(targets_named(wanted.target, self._environ), wanted)
        if wanted.target is not None:
            log_in_to_target(targets[0])
        if not wanted.new:
            fitting = [lease for lease in self._mine() if fits(lease, requests, wanted.name, wanted.target)]
            if fitting:
                self._come_back_to(fitting[0], wanted)
                return
        rent = partial(
            provisioner.provision,
            requests,
            targets=targets,
            name=wanted.name,
            environment=wanted.environment,
            terms=wanted.terms,
            asked_for=wanted.typed,
            data_dir=self._data_dir,
            notebook=self._notebook,
            kernel_id=self._kernel_id,
            cwd=Path.cwd(),
        )
        if wanted.background:
            self._background.begin(wanted, partial(self._get_beside, rent))
            return
        self._get_now(rent, self._where.progress(wanted.title))

    def attach(self, name: Optional[str], *, take: bool) -> None:
        """``%gpu_attach``."""
        if self._is_being_got(name):
            self._background.wait()
            return
        self._where.wait_let_go()
        try:
            lease = self._find(name, "%gpu_attach")
        except UsageMistake:
            over = fetched_by_name(name, self._book, self._notebook, self._kernel_id)
            if over is None:
                raise
            raise is_over(over, self._data_dir) from None
        log_in_to_lease(lease)
        progress = self._where.progress(typed.attach(lease))
        try:
            self._where.come_back(lease, progress)
        except LeaseHeld as held:
            if not take:
                raise _held(held, lease) from None
            self._where.take(lease, progress)

    def release(self, name: Optional[str]) -> None:
        """``%gpu_release``."""
        if self._is_being_got(name):
            print(self._background.end())
            return
        lease = self._find(name, "%gpu_release")
        log_in_to_lease(lease, only_if_needed=True)
        there = self._where.there
        if there is not None and lease.id == there[1].id:
            there[0].release()
            after = "Cells run here again."
        else:
            provisioner.release(lease, self._data_dir, "the user")
            after = ""
        held = duration(time.time() - lease.created)
        rest = rest_sentence(self._book.load(lease.id))
        print(f"Released {lease.name!r} after {held}{cost_clause(lease)}.{rest} {after}".strip())

    def restart(self) -> None:
        """``%gpu_restart``."""
        bridge, lease = self.joined()
        bridge.restart()
        print(f"A fresh kernel runs on {lease.name!r}. Its variables are gone.")

    def joined(self) -> Tuple[Bridge, Lease]:
        """The bridge and the lease of the kernel this notebook's cells run on.

        Raises:
            UsageMistake: they run here.
        """
        there = self._where.there
        if there is not None:
            return there
        if self._background.current is not None:
            raise BeingGot("The machine is still being got. Nothing was done.", "%gpu_attach, to wait for it")
        live = self._book.live()
        known = f"; yours are: {', '.join(lease.name for lease in live)}" if live else ""
        remedy = typed.attach(live[0]) if live else "%gpu_provision a100 --or cpu"
        raise UsageMistake(
            f"This notebook's cells run here; there is no remote kernel it is joined to{known}. "
            "Nothing was done.",
            remedy,
        )

    def road(self) -> Tuple[Road, Lease, Path]:
        """The way of variables and files to that kernel, its lease, and the data folder."""
        bridge, lease = self.joined()
        return road_over(self._local, bridge, lease, self._where.publish), lease, self._data_dir

    def show_status(self) -> None:
        """``%gpu_status``."""
        getting = self._background.current
        provisioner.refresh(self._book)
        there = self._where.there
        down_since = there[0].holder.down_since if there else None
        current_id = there[1].id if there else None
        being_got = getting.specs if getting is not None else None
        table = status_table(self._book.live(), current_id, down_since, being_got)
        display = StatusDisplay(self._where.publish, table)
        over = [ending(lease, self._data_dir) for lease in ended_lately(self._book, time.time())]
        look_for_orphans(load_targets, self._book, lambda found: display.show([*over, *found]))

    def show_offers(self, spec: Optional[str], *, target: Optional[str]) -> None:
        """``%gpu_offers``."""
        try:
            requests = [parse(spec)] if spec else [parse("gpu"), parse("cpu")]
        except BadRequest as error:
            on = f" --on {typed.word(target)}" if target else ""
            error.remedy = f"%gpu_offers {error.meant}{on}" if error.meant else None
            raise
        targets = targets_named(target, self._environ)
        if target is not None:
            log_in_to_target(targets[0])
        table = OffersTable(self._where.publish, [request.text for request in requests])
        table.show(Catalog(targets, self._book.live).surveys(requests, table.show))

    def leave(self, mute: bool = False) -> None:
        """The kernel ends (``mute``) or the extension goes: what is being got is called off."""
        self._background.leave(mute)
        self._where.let_go()

    # -- parts

    def _come_back_to(self, lease: Lease, wanted: Wanted) -> None:
        """Use a lease that is there already instead of renting."""
        must_have(lease, wanted.environment)
        must_have_terms(lease, wanted.terms)
        try:
            another = f" Another one: {wanted.typed.given('--new')}"
            self._where.come_back(lease, self._where.progress(wanted.title), another)
        except LeaseHeld as held:
            raise _held(held, lease) from None

    def _get_now(self, rent: Rent, progress: Progress) -> None:
        """Get a machine in the running cell, and move to it."""
        former = self._where.lease
        try:
            joining = get(self._home, rent, progress, lambda _stage, text: progress.step(text))
            try:
                self._where.move(joining)
            except BaseException:
                joining.bridge.release()
                raise
        except KeyboardInterrupt:
            raise _interrupted() from None
        if former is not None:
            print(_goes_on(former))

    def _get_beside(self, rent: Rent, getting: Getting) -> Joining:
        """The same in a thread; :meth:`_move_between_cells` follows in the main one."""
        joining = get(self._home, rent, getting.progress, getting.on_progress)
        getting.progress.step("The kernel is ready.")
        return joining

    def _move_between_cells(self, joining: Joining) -> str:
        """What was got in the background is there: a sentence for the next cell."""
        former = self._where.lease
        self._where.move(joining)
        goes_on = f" {_goes_on(former)}" if former is not None else ""
        return (
            f"Cells run on {joining.bridge.machine} now. What was defined here before is still here: "
            f"%gpu_push NAME takes it there.{goes_on}"
        )

    def _wait_for_the_same(self, wanted: Wanted, getting: Getting) -> None:
        if wanted.background or not wanted.is_met_by(getting.wanted):
            raise BeingGot(
                f"{getting.specs} is being got for this notebook already. Nothing else was begun.",
                "%gpu_attach, to wait for it; %gpu_release, to call it off",
            )
        self._background.wait()

    def _is_being_got(self, name: Optional[str]) -> bool:
        """Whether that means the machine that is being got in the background; ``None`` does if one is."""
        getting = self._background.current
        if getting is None or name is None:
            return getting is not None
        live = (lease for lease in self._book.live() if name in (lease.name, lease.id))
        return any(lease.kernel_id == self._kernel_id and lease.created >= getting.began for lease in live)

    def _mine(self) -> List[Lease]:
        """Live leases this notebook asked for or is joined to, after asking whether they live."""
        provisioner.refresh(self._book)
        mine = leases_of_notebook(self._book, self._notebook, self._kernel_id)
        joined = self._where.lease
        return mine if joined is None else [joined, *(lease for lease in mine if lease.id != joined.id)]

    def _find(self, name: Optional[str], magic: str) -> Lease:
        """The lease the user means."""
        mine, joined = self._mine(), self._where.lease
        return named_lease(name, mine if joined is None else [joined], self._book.live(), magic)


def _held(held: LeaseHeld, lease: Lease) -> LeaseHeld:
    return LeaseHeld(held.message, f"{typed.attach(lease)} --take")


def _interrupted() -> ProvisionError:
    return ProvisionError("Interrupted; what was rented has been given back.", "%gpu_status")


def _goes_on(former: Lease) -> str:
    return f"{former.name!r} goes on there and is still yours: {typed.release(former)}"
