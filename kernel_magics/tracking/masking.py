"""Keeping known secrets out of the record, visibly."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from kernel_magics.tracking.jsonable import jsonable

_SECRET_NAME = re.compile(
    r"(^|_)(TOKENS?|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|PASS|CREDENTIALS?|APIKEY|KEYS?|PAT|DSN|WEBHOOK)(_|$)",
    re.IGNORECASE,
)
_SHORTEST = 8
"""Shorter values ("1", "true", "default") would mask half of every text."""


def looks_secret(name: str) -> bool:
    """Whether an environment variable of this name usually holds a secret."""
    return _SECRET_NAME.search(name) is not None


def mask_text(name: str) -> str:
    """What is written in a secret's place."""
    return f"[masked: ${name}]"


def _is_path(value: str) -> bool:
    """Whether it names a file (``SSH_KEY=/home/me/.ssh/id``), which is no secret."""
    try:
        return Path(value).exists()
    except (OSError, ValueError):  # a token longer than any file name
        return False


class Mask:
    """Replaces the values of secret-looking environment variables wherever they occur in a text.

    Args:
        environ: where secrets are looked for; the process's environment by default.
    """

    def __init__(self, environ: Optional[Mapping[str, str]] = None) -> None:
        found = {}
        for name, value in (os.environ if environ is None else environ).items():
            if len(value) >= _SHORTEST and looks_secret(name) and not _is_path(value):
                found[value] = name
        # The longest first: one secret may contain another.
        self._secrets: Tuple[Tuple[str, str], ...] = tuple(
            (value, mask_text(found[value])) for value in sorted(found, key=len, reverse=True)
        )

    def __call__(self, text: str) -> str:
        for value, replacement in self._secrets:
            if value in text:
                text = text.replace(value, replacement)
        return text


def clean(content: Mapping[str, Any], tell: Optional[Callable[[str], object]] = None) -> Dict[str, Any]:
    """``content`` made of what JSON can say, with the secrets of the environment of this moment masked.

    ``tell`` as in :func:`kernel_magics.tracking.jsonable.jsonable`.
    """
    found: Dict[str, Any] = jsonable(content, Mask(), tell)
    return found
