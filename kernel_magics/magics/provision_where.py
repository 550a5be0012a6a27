"""Where a notebook's cells run: here, or on the kernel of one lease; and the ways from one to the other."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.errand import call_on
from gpu_provisioner.errors import LeaseHeld
from gpu_provisioner.model import Lease
from kernel_magics.bridge.bridge import Bridge
from kernel_magics.bridge.notices import Notices
from kernel_magics.magics.provision_display import Progress
from kernel_magics.magics.provision_joining import Home, Joining, join

_HAND_OVER_LIMIT_S, _LETTING_GO_S, _MOMENT_S = 15.0, 30.0, 0.3


class Where:
    """Where the cells of one notebook run.

    Args:
        home: the notebook.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._bridge: Optional[Bridge] = None
        self._lease: Optional[Lease] = None
        self._notices = Notices(home.local)

    @property
    def there(self) -> Optional[Tuple[Bridge, Lease]]:
        """The bridge and the lease of the kernel that cells run on; ``None`` while they run here."""
        if self._bridge is None or self._lease is None or self._bridge.ended is not None:
            return None
        return self._bridge, self._lease

    @property
    def lease(self) -> Optional[Lease]:
        """The lease whose kernel cells run on; ``None`` while they run here."""
        return self.there[1] if self.there else None

    def move(self, joining: Joining) -> None:
        """From now on cells run on that kernel."""
        self.let_go()
        joining.bridge.install()
        self._bridge, self._lease = joining.bridge, joining.lease
        joining.tell()

    def let_go(self) -> None:
        """Cells run here again; the remote kernel goes on."""
        bridge, self._bridge, self._lease = self._bridge, None, None
        if bridge is not None:
            bridge.detach()

    def come_back(self, lease: Lease, progress: Progress, another: str = "") -> None:
        """Use a lease that is there already.

        Args:
            another: what else to type, for who asked for a machine and not for this one.

        Raises:
            LeaseHeld: somebody else holds it.
        """
        there = self.there
        if there is not None and there[1].id == lease.id:
            there[0].holder.hurry()
            progress.ready(f"Cells of this notebook run on {lease.name!r} already.{another}")
            return
        progress.step(f"{lease.name!r} is yours already; nothing new is rented.")
        self.move(join(self._home, lease, progress))

    def take(self, lease: Lease, progress: Progress) -> None:
        """Have the lease's holder let go, and join it as soon as it has."""
        progress.step(f"Asking the holder of {lease.name!r} to let go.")
        notebook = self._home.notebook
        who = Path(notebook).name if notebook else f"a kernel on {socket.gethostname()}"
        call_on(lambda: open_carrier(lease), _HAND_OVER_LIMIT_S, {"type": "hand-over", "by": who})
        deadline = time.monotonic() + _HAND_OVER_LIMIT_S
        while True:
            try:
                self.come_back(lease, progress)
                return
            except LeaseHeld:
                if time.monotonic() > deadline:
                    progress.failed()
                    raise
                time.sleep(0.05)

    def wait_let_go(self) -> None:
        """When the machine of this notebook has ended: wait until what it left is fetched, and say so."""
        bridge = self._bridge
        if bridge is None or self.there is not None or bridge.holder.wait_let_go(_MOMENT_S):
            return
        print(f"{bridge.machine} is gone. Waiting until what it left there is here …", flush=True)
        if not bridge.holder.wait_let_go(_LETTING_GO_S):
            print(f"Not all of it came within {_LETTING_GO_S:.0f} s; it goes on being fetched.", flush=True)

    def say(self, text: str) -> None:
        """A notice in the running cell, or in the next one. Callable from any thread."""
        there = self.there
        if there is not None:
            there[0].say(text)
        else:
            self._notices.say(text)

    def progress(self, title: str) -> Progress:
        """A live line in the running cell."""
        return Progress(self.publish, title)

    def publish(self, data: Mapping[str, Any], **more: Any) -> None:
        """IPython's ``display_pub.publish``."""
        self._home.local.shell.display_pub.publish(dict(data), **more)
