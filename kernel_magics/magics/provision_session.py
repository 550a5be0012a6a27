"""The remote kernel of one notebook: getting it, coming back to it, giving it back."""

from __future__ import annotations

import atexit
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import provisioner
from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.config import configuration_path, host_target, load_targets
from gpu_provisioner.environment import AS_IT_IS, Environment
from gpu_provisioner.errand import call_on
from gpu_provisioner.errors import LeaseError, ProvisionError
from gpu_provisioner.gpus import parse
from gpu_provisioner.holder import Holder
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease
from gpu_provisioner.providers.base import Target
from gpu_provisioner.terms import NO_LIMITS, Terms
from gpu_provisioner.working_folder import mirror_of_lease
from kernel_magics import config
from kernel_magics.bridge.bridge import Bridge
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.errors import UsageMistake
from kernel_magics.magics.provision_display import OffersTable, Progress, show_status
from kernel_magics.magics.provision_environment import environment_of, must_have, with_python
from kernel_magics.magics.provision_facts import HomeFacts, kernel_id_of, notebook_path, static_facts
from kernel_magics.magics.provision_folder import facts_after_files
from kernel_magics.magics.provision_leases import cost_clause, duration, fits, named_lease, price_sentence
from kernel_magics.magics.provision_login import log_in_to_lease, log_in_to_target
from kernel_magics.magics.provision_missed import begin_to_show_missed
from kernel_magics.magics.provision_packages import Comparison, modules_of_notebook
from kernel_magics.magics.provision_reminder import leases_of_notebook
from kernel_magics.magics.provision_terms import idle_sentence, must_have_terms, terms_of
from kernel_magics.magics.transfer import Road, road_over
from kernel_magics.tracking import git

_READY_LIMIT_S = 120.0
_HAND_OVER_LIMIT_S = 15.0
_COMPARED_LIMIT_S = 3.0
"""How long a kernel that is ready waits to be told what its Python lacks."""


class GpuSession:
    """What the ``%gpu_…`` magics of one notebook share.

    Args:
        kernel: the notebook's ipykernel.
        data_dir: the data folder.
        environ: the environment, for the notebook's path.
    """

    def __init__(self, kernel: Any, data_dir: Path, environ: Mapping[str, str]) -> None:
        self._local = LocalKernel(kernel)
        self._data_dir = data_dir
        self._book = LeaseBook(data_dir)
        self._environ = environ
        self._notebook = notebook_path(environ)
        connection_file = str(getattr(getattr(kernel, "parent", None), "connection_file", "") or "")
        self._kernel_id = kernel_id_of(connection_file)
        self._bridge: Optional[Bridge] = None
        self._lease: Optional[Lease] = None
        atexit.register(self.let_go)

    # -- the magics

    environment = staticmethod(environment_of)
    terms = staticmethod(terms_of)

    def provision(
        self,
        specs: Sequence[str],
        *,
        name: Optional[str],
        new: bool,
        target: Optional[str],
        environment: Environment = AS_IT_IS,
        terms: Terms = NO_LIMITS,
    ) -> None:
        """``%gpu_provision``."""
        requests = [parse(spec) for spec in specs]
        targets = with_python(self._targets(target), environment)
        if target is not None:
            log_in_to_target(targets[0])
        progress = self._progress("%gpu_provision " + " --or ".join(specs))
        if not new:
            fitting = [lease for lease in self._mine() if fits(lease, requests, name, target)]
            if fitting:
                must_have(fitting[0], environment)
                must_have_terms(fitting[0], terms)
                self._come_back(fitting[0], progress)
                return
        former = self._lease if self._is_bridged() else None
        rent = partial(provisioner.provision, requests, targets=targets, name=name)
        lease = self._rent(partial(rent, environment=environment, terms=terms), progress)
        try:
            self._join(lease, progress)
        except BaseException as error:
            provisioner.release(lease, self._data_dir, "a failed start")
            if isinstance(error, KeyboardInterrupt):
                raise _interrupted() from None
            if isinstance(error, ProvisionError):
                error.remedy = f"%gpu_provision {lease.spec}"
            raise
        if former is not None:
            print(f"{former.name!r} goes on there and is still yours: %gpu_release {former.name}")

    def attach(self, name: Optional[str], *, take: bool) -> None:
        """``%gpu_attach``."""
        lease = self._find(name, "%gpu_attach")
        log_in_to_lease(lease)
        progress = self._progress(f"%gpu_attach {lease.name}")
        try:
            self._come_back(lease, progress)
        except LeaseError as held:
            if not take:
                raise LeaseError(held.message, f"%gpu_attach {lease.name} --take") from None
            self._take(lease, progress)

    def release(self, name: Optional[str]) -> None:
        """``%gpu_release``."""
        lease = self._find(name, "%gpu_release")
        log_in_to_lease(lease, only_if_needed=True)
        if self._is_bridged() and self._lease is not None and lease.id == self._lease.id:
            assert self._bridge is not None
            self._bridge.release()
            after = "Cells run here again."
        else:
            provisioner.release(lease, self._data_dir, "the user")
            after = ""
        held = duration(time.time() - lease.created)
        print(f"Released {lease.name!r} after {held}{cost_clause(lease)}. {after}".strip())

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
        if not self._is_bridged() or self._bridge is None or self._lease is None:
            live = self._book.live()
            known = f"; yours are: {', '.join(lease.name for lease in live)}" if live else ""
            remedy = f"%gpu_attach {live[0].name}" if live else "%gpu_provision a100 --or cpu"
            raise UsageMistake(
                f"This notebook's cells run here; there is no remote kernel it is joined to{known}. "
                "Nothing was done.",
                remedy,
            )
        return self._bridge, self._lease

    def road(self) -> Tuple[Road, Lease, Path]:
        """The way of variables and files to that kernel, its lease, and the data folder."""
        bridge, lease = self.joined()
        return road_over(self._local, bridge, lease, self._publish), lease, self._data_dir

    def show_status(self) -> None:
        """``%gpu_status``."""
        provisioner.refresh(self._book)
        current = self._lease if self._is_bridged() else None
        down_since = self._bridge.holder.down_since if self._bridge is not None and current else None
        show_status(self._publish, self._book.live(), current.id if current else None, down_since)

    def show_offers(self, spec: Optional[str], *, target: Optional[str]) -> None:
        """``%gpu_offers``."""
        requests = [parse(spec)] if spec else [parse("gpu"), parse("cpu")]
        targets = self._targets(target)
        if target is not None:
            log_in_to_target(targets[0])
        table = OffersTable(self._publish, [request.text for request in requests])
        table.show(Catalog(targets, self._book.live).surveys(requests, table.show))

    def let_go(self) -> None:
        """Cells run here again; the remote kernel goes on."""
        bridge, self._bridge, self._lease = self._bridge, None, None
        if bridge is not None:
            bridge.detach()

    # -- parts

    def _rent(self, rent: Callable[..., Lease], progress: Progress) -> Lease:
        try:
            return rent(
                data_dir=self._data_dir,
                notebook=self._notebook,
                kernel_id=self._kernel_id,
                on_progress=lambda _stage, text: progress.step(text),
            )
        except KeyboardInterrupt:
            progress.failed()
            raise _interrupted() from None
        except BaseException:
            progress.failed()
            raise

    def _join(self, lease: Lease, progress: Progress) -> None:
        """From now on cells run on the lease's kernel."""
        facts = HomeFacts(
            static_facts(self._kernel_id, lease.id, self._environ),
            lambda with_diff: git.facts(Path.cwd(), diff=with_diff),
            config.capture_settings(),
        )
        bridge = Bridge(
            self._local,
            lambda on_records, on_state: Holder(lease, self._data_dir, on_records, on_state),
            f"{lease.name} ({lease.machine or lease.target})",
            paced="JPY_SESSION_NAME" in self._environ,
        )
        mirror = mirror_of_lease(lease, bridge.holder.post)
        of_request = facts.of_request
        bridge.set_facts(facts_after_files(of_request, mirror, bridge.say) if mirror else of_request)
        modules = modules_of_notebook(self._local.shell.user_ns, self._notebook)
        comparison = Comparison(lease, modules)
        try:
            missed = begin_to_show_missed(bridge, lease, self._data_dir, self._notebook, self._kernel_id)
            welcome = bridge.connect(_READY_LIMIT_S)
        except BaseException:
            progress.failed()
            bridge.detach()
            raise
        for line in comparison.lines(_COMPARED_LIMIT_S):
            progress.step(line)
        self.let_go()
        bridge.install()
        self._bridge, self._lease = bridge, lease
        verified = f" GPU verified: {', '.join(gpu.name for gpu in lease.gpus)}." if lease.gpus else ""
        python = f"Python {welcome.machine.get('python')} on {welcome.machine.get('host')}"
        terms = price_sentence(lease) + idle_sentence(lease)
        progress.ready(f"Cells run on {lease.name!r} now ({python}).{verified}{terms}{missed()}")

    def _come_back(self, lease: Lease, progress: Progress) -> None:
        """Use a lease that is there already."""
        if (
            self._bridge is not None
            and self._is_bridged()
            and self._lease is not None
            and self._lease.id == lease.id
        ):
            self._bridge.holder.hurry()
            progress.ready(f"Cells of this notebook run on {lease.name!r} already (another one: --new).")
            return
        progress.step(f"{lease.name!r} is yours already; nothing new is rented.")
        self._join(lease, progress)

    def _take(self, lease: Lease, progress: Progress) -> None:
        """Have the lease's holder let go, and join it as soon as it has."""
        progress.step(f"Asking the holder of {lease.name!r} to let go.")
        who = Path(self._notebook).name if self._notebook else f"a kernel on {socket.gethostname()}"
        call_on(lambda: open_carrier(lease), _HAND_OVER_LIMIT_S, {"type": "hand-over", "by": who})
        deadline = time.monotonic() + _HAND_OVER_LIMIT_S
        while True:
            try:
                self._come_back(lease, progress)
                return
            except LeaseError:
                if time.monotonic() > deadline:
                    progress.failed()
                    raise
                time.sleep(0.05)

    def _mine(self) -> List[Lease]:
        """Live leases this notebook asked for or is joined to, after asking whether they live."""
        provisioner.refresh(self._book)
        mine = leases_of_notebook(self._book, self._notebook, self._kernel_id)
        if self._is_bridged() and self._lease is not None:
            mine = [self._lease, *(lease for lease in mine if lease.id != self._lease.id)]
        return mine

    def _find(self, name: Optional[str], magic: str) -> Lease:
        """The lease the user means."""
        mine = self._mine()
        if self._is_bridged() and self._lease is not None:
            mine = [self._lease]
        return named_lease(name, mine, self._book.live(), magic)

    def _targets(self, only: Optional[str]) -> List[Target]:
        targets = load_targets()
        chosen = [target for target in targets if only in (None, target.name)]
        host = host_target(only) if only and not chosen else None
        if host is not None:
            return [host]
        if not chosen:
            names = ", ".join(target.name for target in targets)
            raise UsageMistake(
                f"No target is called {only!r}; there are: {names}. Nothing was rented.",
                f"--on {targets[0].name}, a host of ~/.ssh/config, or a table [targets.{only}] in "
                f"{configuration_path(self._environ)}",
            )
        return chosen

    def _is_bridged(self) -> bool:
        return self._bridge is not None and self._bridge.ended is None

    def _progress(self, title: str) -> Progress:
        return Progress(self._publish, title)

    def _publish(self, data: Mapping[str, Any], **more: Any) -> None:
        self._local.shell.display_pub.publish(dict(data), **more)


def _interrupted() -> ProvisionError:
    return ProvisionError("Interrupted; what was rented has been given back.", "%gpu_status")
