"""Which error is which HTTP status: the one table of this server."""

from __future__ import annotations

from typing import TypedDict

from gpu_provisioner.errors import BadRequest, LeaseError, ProvisionError
from gpu_provisioner.errors import ConfigurationError as ProvisionConfigurationError
from kernel_magics.errors import (
    ConfigurationError,
    DataFolderError,
    JournalError,
    TracksideError,
    UnknownRun,
    UsageMistake,
)


class BadQuery(TracksideError):
    """A request or a message of the browser is wrong. Nothing was done."""


class UnknownLease(TracksideError):
    """No lease of that id is in the data folder."""


class UnknownMedia(TracksideError):
    """The run has no such image, table, histogram or page, or its bytes are gone."""


class ErrorBody(TypedDict):
    """What a refused request is answered."""

    message: str
    remedy: str | None


STATUS: tuple[tuple[type[Exception], int], ...] = (
    (BadQuery, 400),
    (UsageMistake, 400),
    (BadRequest, 400),
    (UnknownRun, 404),
    (UnknownLease, 404),
    (UnknownMedia, 404),
    (LeaseError, 409),
    (ConfigurationError, 500),
    (ProvisionConfigurationError, 500),
    (DataFolderError, 503),
    (JournalError, 503),
    (ProvisionError, 502),
    (TracksideError, 500),
)
"""Looked through from top to bottom: the first class that fits decides."""


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status of an error meant for people, ``None`` for any other."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), None)


def body_of(error: BaseException) -> ErrorBody:
    """The answer's body for an error meant for people."""
    return {"message": str(getattr(error, "message", error)), "remedy": getattr(error, "remedy", None)}
