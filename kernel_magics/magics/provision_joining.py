"""From a lease to a notebook whose cells run on its kernel: first the line, then the move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from gpu_provisioner import calling_off, provisioner, typed
from gpu_provisioner.ctrl_c import ctrl_c_waits
from gpu_provisioner.errors import LeaseError, ProvisionError
from gpu_provisioner.giving_back import tell_given_back
from gpu_provisioner.holder import Holder
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease
from gpu_provisioner.working_folder import mirror_of_lease
from kernel_magics import config
from kernel_magics.bridge.bridge import Bridge
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.errors import KernelLost
from kernel_magics.magics.provision_display import Progress
from kernel_magics.magics.provision_facts import HomeFacts, static_facts
from kernel_magics.magics.provision_folder import facts_after_files
from kernel_magics.magics.provision_leases import price_sentence
from kernel_magics.magics.provision_missed import begin_to_show_missed
from kernel_magics.magics.provision_packages import Comparison, modules_of_notebook
from kernel_magics.magics.provision_terms import idle_sentence
from kernel_magics.tracking import git

_READY_LIMIT_S = 120.0
_COMPARED_LIMIT_S = 3.0
"""How long a kernel that is ready waits to be told what its Python lacks."""


Rent = Callable[..., Lease]
"""Called with ``on_progress``, as :func:`gpu_provisioner.provisioner.provision` has it."""


@dataclass(frozen=True)
class Home:
    """The notebook that is joined to a machine."""

    local: LocalKernel
    data_dir: Path
    environ: Mapping[str, str]
    notebook: Optional[str]
    kernel_id: Optional[str]


class Joining:
    """A line to the kernel of a lease; cells run where they ran until its bridge is installed.

    Args:
        progress: told how far it has come.

    Raises:
        LeaseError: somebody else holds the lease.
    """

    def __init__(self, home: Home, lease: Lease, progress: Progress) -> None:
        self.lease = lease
        self._home, self._progress = home, progress
        self._machine: Mapping[str, Any] = {}
        self._missed: Callable[[], str] = str
        self.bridge = Bridge(
            home.local,
            lambda on_records, on_state: Holder(lease, home.data_dir, on_records, on_state),
            f"{lease.name} ({lease.machine or lease.target})",
            paced="JPY_SESSION_NAME" in home.environ,
        )
        try:
            self._bring_facts()
        except BaseException:
            self.bridge.detach()
            raise

    def connect(self) -> None:
        """Reach the kernel and wait until it is ready. Any thread; when it fails, the lease is let go of."""
        home = self._home
        modules = modules_of_notebook(dict(home.local.shell.user_ns), home.notebook)
        comparison = Comparison(self.lease, modules)
        try:
            self._missed = begin_to_show_missed(
                self.bridge, self.lease, home.data_dir, home.notebook, home.kernel_id
            )
            self._machine = self.bridge.connect(_READY_LIMIT_S).machine
        except BaseException as error:
            self.bridge.detach()
            self._progress.failed()
            if isinstance(error, KernelLost):
                error.remedy = typed.attach(self.lease)
            raise
        self._put_down_where_home_is()
        for line in comparison.lines(_COMPARED_LIMIT_S):
            self._progress.step(line)

    def tell(self) -> None:
        """Show that cells run there, once the bridge is installed; after what was missed meanwhile."""
        lease = self.lease
        verified = f" GPU verified: {', '.join(gpu.name for gpu in lease.gpus)}." if lease.gpus else ""
        python = f"Python {self._machine.get('python')} on {self._machine.get('host')}"
        terms = price_sentence(lease) + idle_sentence(lease)
        self._progress.ready(f"Cells run on {lease.name!r} now ({python}).{verified}{terms}{self._missed()}")

    def _put_down_where_home_is(self) -> None:
        """The lease is this notebook's from now on; another may have had it before."""
        home, lease = self._home, self.lease
        if (lease.notebook, lease.kernel_id) == (home.notebook, home.kernel_id):
            return
        try:
            self.lease = LeaseBook(home.data_dir).update(
                lease.id, notebook=home.notebook, kernel_id=home.kernel_id
            )
        except ProvisionError as error:  # a full disk: cells run there all the same
            self._progress.step(error.message)

    def _bring_facts(self) -> None:
        """What travels with every cell: where home is, and the files of the working folder that changed."""
        home, lease, bridge = self._home, self.lease, self.bridge
        facts = HomeFacts(
            static_facts(home.kernel_id, lease.id, home.environ),
            lambda with_diff: git.facts(Path.cwd(), diff=with_diff),
            config.capture_settings(),
        )
        mirror = mirror_of_lease(lease, bridge.holder.post)
        of_request = facts.of_request
        bridge.set_facts(facts_after_files(of_request, mirror, bridge.say) if mirror else of_request)


def get(home: Home, rent: Rent, progress: Progress, on_progress: Callable[[str, str], None]) -> Joining:
    """A machine whose kernel is ready; cells run where they ran. When that fails, nothing stays rented.

    Any thread; may be called off (:mod:`gpu_provisioner.calling_off`).
    """
    try:
        lease = rent(on_progress=on_progress)
    except BaseException:
        progress.failed()
        raise
    try:
        return join(home, lease, progress)
    except BaseException as error:
        with calling_off.out_of_reach():
            provisioner.release(lease, home.data_dir, "a failed start")
        if isinstance(error, LeaseError):
            tell_given_back(error, lease)
        elif isinstance(error, (ProvisionError, KernelLost)):
            error.remedy = str(typed.again(lease))
        raise


def join(home: Home, lease: Lease, progress: Progress) -> Joining:
    """A line to the lease's kernel, which is ready then. Any thread; may be called off."""
    joining: Optional[Joining] = None
    call_off = calling_off.current()
    try:
        with ctrl_c_waits():
            joining = Joining(home, lease, progress)
        if call_off is not None:
            call_off.add(joining.bridge.detach)
        calling_off.check()
        joining.connect()
        return joining
    except BaseException:
        if joining is not None:
            joining.bridge.detach()
        raise
    finally:
        if call_off is not None and joining is not None:
            call_off.remove(joining.bridge.detach)
