"""Errors of provisioning, for people.

::

    ProvisionError        what happened, what it costs, what to type next
    ├── BadRequest        the GPU specification cannot be understood
    ├── NoOffer           nothing that fits is to be had; nothing was rented
    ├── ProviderError     a machine could not be asked, started or stopped
    │   └── Unreachable   there was no way to the machine; nothing happened there
    │       └── LoginNeeded  it asks for a password or a second factor, and nobody was asked for one
    ├── BootstrapError    the machine answers, but no kernel can be started there
    ├── LeaseError        the lease is unknown, held by somebody else, or over
    │   └── LeaseHeld     somebody else holds it, and would let go if asked (%gpu_attach --take)
    ├── TransferError     a variable or a file was not brought over; nothing was changed by half
    ├── CalledOff         somebody called it off (gpu_provisioner.calling_off)
    ├── OverLimit         it would cost more than [limits] allow; nothing was rented
    └── ConfigurationError  trackside.toml is wrong: file, line, what was expected
"""

from __future__ import annotations

from typing import List, Optional


class ProvisionError(Exception):
    """An error for a person: what happened and what it costs, and a remedy to type."""

    def __init__(self, message: str, remedy: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\nTry: {self.remedy}" if self.remedy else self.message

    def _render_traceback_(self) -> List[str]:
        return [f"{type(self).__name__}: {self}"]


class BadRequest(ProvisionError):
    """The GPU specification cannot be understood. Nothing was asked of any machine.

    Attributes:
        meant: the specification that was probably meant, for who knows what else was typed; ``None`` if
            nobody can tell.
    """

    def __init__(self, message: str, remedy: Optional[str] = None, meant: Optional[str] = None) -> None:
        super().__init__(message, remedy)
        self.meant = meant


class NoOffer(ProvisionError):
    """Nothing that fits is to be had. Nothing was rented."""


class ProviderError(ProvisionError):
    """A machine could not be asked, started, reached or stopped."""


class Unreachable(ProviderError):
    """There was no way to the machine, or it did not let us in. Nothing happened there."""


class LoginNeeded(Unreachable):
    """The machine asks for a password or a second factor, and nobody was asked for one: only a person's own
    ``%gpu_…`` asks."""


class BootstrapError(ProvisionError):
    """The machine answers, but no kernel can be started there."""


class LeaseError(ProvisionError):
    """The lease is unknown, held by somebody else, or over."""


class LeaseHeld(LeaseError):
    """Somebody else holds the lease. Nothing was changed."""


class TransferError(ProvisionError):
    """A variable or a file was not brought over. What was there before is as it was."""


class OverLimit(ProvisionError):
    """It would cost more than the user's limits allow. Nothing was rented."""


class ConfigurationError(ProvisionError):
    """``trackside.toml`` is wrong; the message names file, line and what was expected."""
