"""``%gpu_provision --bg``: a machine is got in a thread of its own while cells run here.

The thread rents it and brings its kernel up; the move itself happens in the kernel's main thread, between two
cells. Whatever comes of it is shown under the cell that began it, and told in the next cell.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Callable, Optional

from gpu_provisioner.calling_off import CallOff
from gpu_provisioner.errors import ProvisionError
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.errors import KernelLost, TracksideError
from kernel_magics.magics.provision_display import Progress
from kernel_magics.magics.provision_joining import Joining
from kernel_magics.magics.provision_wanted import Wanted

_OFFER = "offer"
"""The stage of :func:`gpu_provisioner.provisioner.provision` after which something is rented."""
_GIVEN_BACK_LIMIT_S = 60.0
_LEAVE_LIMIT_S = 4.0
"""Jupyter kills a kernel that takes longer than 5 s to end."""

_CALLED_OFF = "Called off; nothing is rented for it."

log = logging.getLogger("trackside.provisioner")


class BeingGot(TracksideError):
    """A machine is being got for this notebook already. Nothing else was begun."""


class NotMoved(TracksideError):
    """Cells could not move to a machine that was ready. It has been given back, and they run here."""


class Getting:
    """One machine that is being got.

    Args:
        wanted: what was asked for.
        progress: shown in the cell that began it, whatever runs meanwhile.
        get: gets it, in the thread; calls :meth:`on_progress`, and never waits for a person.
        ended: called in the thread when :attr:`joining` or :attr:`error` is there.
    """

    def __init__(
        self,
        wanted: Wanted,
        progress: Progress,
        get: Callable[[Getting], Joining],
        ended: Callable[[Getting], None],
    ) -> None:
        self.wanted, self.specs, self.progress = wanted, wanted.specs_text, progress
        self.began = time.time()
        self.joining: Optional[Joining] = None
        """The kernel that cells can move to."""
        self.error: Optional[BaseException] = None
        self.call_off = CallOff()
        self._get, self._tell_ended = get, ended
        self._may_rent = False
        self._stage = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="trackside-provision")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    def on_progress(self, stage: str, text: str) -> None:
        """``provision``'s ``on_progress``: no step is begun once it was called off."""
        with self._stage:
            self.call_off.check()
            self._may_rent = self._may_rent or stage == _OFFER
        self.progress.step(text)

    def wait(self) -> None:
        """Wait until it has ended, one way or the other."""
        self._ended.wait()

    def end(self, limit_s: float) -> bool:
        """Call it off, and wait until what was rented is given back; whether it was in time."""
        self.call_off.call()
        with self._stage:
            if not self._may_rent:
                # A target may take its time to answer; its offer will not be taken.
                return True
        return self._ended.wait(limit_s)

    def outcome(self) -> Joining:
        """The kernel that cells can move to; raises why there is none."""
        if self.error is not None:
            raise self.error
        assert self.joining is not None
        gone = self.joining.bridge.ended
        if gone is not None:
            raise KernelLost(f"{self.joining.bridge.machine} was ready, and is gone. {gone}", self.again)
        return self.joining

    @property
    def again(self) -> str:
        """What to type to try it again."""
        return str(self.wanted.typed)

    def _run(self) -> None:
        try:
            with self.call_off.heard():
                self.joining = self._get(self)
        except BaseException as error:  # noqa: BLE001 - kept, and told in the notebook by whoever began it
            self.error = error
        self._ended.set()
        self._tell_ended(self)


class Background:
    """The one machine that is being got for a notebook, if one is.

    Args:
        move: called in the main thread: cells run there from now on.
        say: shows a sentence in the running cell, or in the next one.
    """

    def __init__(
        self, local: LocalKernel, move: Callable[[Joining], Any], say: Callable[[str], None]
    ) -> None:
        self._local, self._move, self._say = local, move, say
        self._getting: Optional[Getting] = None
        self._mute = False

    @property
    def current(self) -> Optional[Getting]:
        """What is under way; what has ended meanwhile is settled first. In the main thread."""
        self._settle()
        return self._getting

    def begin(self, wanted: Wanted, get: Callable[[Getting], Joining]) -> None:
        """Begin to get one, shown under the cell that runs now."""
        progress = Progress(self._under_this_cell(), wanted.title)
        self._getting = Getting(wanted, progress, get, self._on_ended)
        self._getting.progress.step(
            "In the background: cells run where they ran until it is ready. %gpu_attach waits for it, "
            "%gpu_release calls it off."
        )
        self._getting.start()

    def wait(self) -> None:
        """Wait for it in the running cell; cells after that run there.

        Raises:
            ProvisionError, TracksideError: why it was not got; or interrupted, and then it goes on.
        """
        getting = self._getting
        assert getting is not None
        try:
            print(f"Waiting for {getting.specs}, which is being got in the background.", flush=True)
            getting.wait()
        except KeyboardInterrupt:
            raise ProvisionError(
                "Interrupted; it is still being got in the background.", "%gpu_release, to call it off"
            ) from None
        self._getting = None
        print(self._moved(getting))

    def end(self) -> str:
        """Call it off: a sentence. What was rented is given back.

        Raises:
            ProvisionError: it could not be given back, or not yet, and may cost money.
        """
        getting = self._getting
        assert getting is not None
        self._getting = None
        try:
            in_time = getting.end(_GIVEN_BACK_LIMIT_S)
        except KeyboardInterrupt:
            in_time = False
        if not in_time:
            raise ProvisionError(
                "It was called off; what was rented is still being given back.", "%gpu_status"
            )
        if getting.joining is not None:  # It was quicker.
            getting.joining.bridge.release()
        elif getting.error is not None and _is_still_rented(getting.error):
            raise getting.error
        return _CALLED_OFF

    def leave(self, mute: bool) -> None:
        """The kernel ends, or the extension is unloaded: what is under way is called off.

        Args:
            mute: nothing can be shown any more.
        """
        getting, self._getting, self._mute = self._getting, None, mute
        if getting is None:
            return
        getting.end(_LEAVE_LIMIT_S)
        if getting.joining is not None:
            getting.joining.bridge.detach()

    def _on_ended(self, getting: Getting) -> None:
        """In its thread. The display tells at once; cells move when the main thread has a moment."""
        if self._mute:
            return
        if getting.error is not None:
            getting.progress.failed(_failure(getting))
        self._local.soon(self._settle)

    def _settle(self) -> None:
        getting = self._getting
        if getting is None or not getting.has_ended:
            return
        self._getting = None
        try:
            told = self._moved(getting)
        except BaseException as error:  # noqa: BLE001 - told in the notebook; the event loop would only log it
            getting.error = error
            getting.progress.failed(_failure(getting))
            told = f"%gpu_provision {getting.specs} --bg: {_failure(getting)}"
        self._say(told)

    def _moved(self, getting: Getting) -> str:
        """Move cells to what was got: a sentence. When that fails it goes back: nothing has run there yet.

        Raises:
            ProvisionError, TracksideError: why it was not got, or could not be given back.
        """
        joining = getting.outcome()
        try:
            return self._move(joining)
        except BaseException as error:
            joining.bridge.release()
            why = (
                "Interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
            )
            log.warning("cells did not move to %s", joining.bridge.machine, exc_info=error)
            raise NotMoved(
                f"{joining.bridge.machine} was ready, but cells could not move to it ({why}). It has been "
                "given back; cells run here.",
                getting.again,
            ) from error

    def _under_this_cell(self) -> Callable[..., None]:
        request = self._local.running_request()

        def publish(data: Any, transient: Any, update: bool) -> None:
            content = {"data": dict(data), "metadata": {}, "transient": transient}
            self._local.publish("update_display_data" if update else "display_data", content, request)

        return publish


def _is_still_rented(error: Optional[BaseException]) -> bool:
    """Whether giving it back has failed: the remedy then is to release it."""
    return str(getattr(error, "remedy", "") or "").startswith("%gpu_release")


def _failure(getting: Getting) -> str:
    """Why it was not got, for the notebook."""
    error = getting.error
    if getting.call_off.is_called and not _is_still_rented(error):
        return _CALLED_OFF
    told = str(error) if hasattr(error, "remedy") else f"{type(error).__name__}: {error}"
    return told if isinstance(error, NotMoved) else f"{told}\nCells run where they ran."
