"""``trackside.toml``: which machines there are, and how much may be spent.

::

    [targets.gpu1]
    provider = "ssh"
    host = "gpu1"

    [limits]
    max_usd_per_hour = 10.0

The table ``[capture]`` belongs to the tracker and is left to it. The target ``local`` is always there; a
table ``[targets.local]`` may change its options.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

import tomllib

from gpu_provisioner.errors import ConfigurationError, ProvisionError
from gpu_provisioner.openssh_hosts import configured_hosts
from gpu_provisioner.providers import provider_class, provider_names
from gpu_provisioner.providers.base import Target

_TABLES = ("targets", "limits", "capture")
_LIMITS: Mapping[str, type] = {"max_usd_per_hour": float, "max_usd_per_day": float, "idle_s": float}
_TYPE_NAMES = {str: "text in quotes", float: "a number", int: "a whole number", bool: "true or false"}
_TYPE_NAMES.update({list: "a list of texts", dict: "a table of texts"})
_TARGET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")

LOCAL = Target("local", "local")


@dataclass(frozen=True)
class Configuration:
    """What the file says. Limits are in US dollars and seconds; an absent key is no limit."""

    targets: Tuple[Target, ...] = (LOCAL,)
    limits: Mapping[str, float] = field(default_factory=dict)
    path: Optional[Path] = None


def configuration_path(environ: Mapping[str, str]) -> Path:
    """``$TRACKSIDE_CONFIG``, else ``trackside.toml`` in Jupyter's configuration folder."""
    if environ.get("TRACKSIDE_CONFIG"):
        return Path(environ["TRACKSIDE_CONFIG"])
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir()) / "trackside.toml"


def load_targets(path: Optional[Path] = None) -> List[Target]:
    """The targets of the configuration file, this machine first."""
    return list(load_configuration(path).targets)


def host_target(name: str, ssh_config: Optional[Path] = None) -> Optional[Target]:
    """A host of ``~/.ssh/config`` as a target of its own, without a table; ``None`` for an unknown one.

    Args:
        ssh_config: that file; ``None`` for the user's own.
    """
    if name not in configured_hosts(ssh_config):
        return None
    return Target(name, "ssh", {"host": name})


def load_configuration(path: Optional[Path] = None) -> Configuration:
    """Read and check the file; one that is not there is an empty one.

    Args:
        path: the file; ``None`` for the user's own, see :func:`configuration_path`.

    Raises:
        ConfigurationError: names file, line and what was expected.
    """
    path = path or configuration_path(os.environ)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Configuration()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    return _Checker(path, text).check()


class _Checker:
    """Checks one file; knows the line of every key, for the messages."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._lines = _lines_of_keys(text)

    def check(self) -> Configuration:
        try:
            content = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise self._syntax_error(str(error)) from None
        self._known(content, _TABLES, ())
        targets = {LOCAL.name: LOCAL}
        for name, table in self._table(content, "targets", ()).items():
            targets[name] = self._target(name, table)
        limits = self._table(content, "limits", ())
        self._options(limits, _LIMITS, ("limits",))
        for key, value in limits.items():
            if value < 0:
                raise self._error(("limits", key), f"{key} must not be negative")
        return Configuration(tuple(targets.values()), limits, self._path)

    def _target(self, name: str, table: Any) -> Target:
        at = ("targets", name)
        if not isinstance(table, dict):
            raise self._error(at, f"a target is a table: [targets.{name}] with provider = …")
        if not _TARGET_NAME.fullmatch(name):
            raise self._error(at, f"the name {name!r} may have letters, digits, '.', '_' and '-' only")
        provider = table.get("provider", "local" if name == LOCAL.name else None)
        if not isinstance(provider, str):
            expected = ", ".join(f'"{each}"' for each in provider_names())
            raise self._error(at, f"the target {name!r} needs provider = one of {expected}")
        if provider not in provider_names():
            guess = _did_you_mean(provider, provider_names())
            raise self._error((*at, "provider"), f"no provider {provider!r} is installed{guess}")
        try:
            allowed = provider_class(provider).OPTIONS
        except ProvisionError as error:
            raise self._error((*at, "provider"), error.message) from None
        options = {key: value for key, value in table.items() if key != "provider"}
        self._options(options, allowed, at)
        return Target(name, provider, options)

    def _options(self, options: Mapping[str, Any], allowed: Mapping[str, type], at: Tuple[str, ...]) -> None:
        self._known(options, allowed, at)
        for key, value in options.items():
            kind = allowed[key]
            if not _is_kind(value, kind):
                expected = _TYPE_NAMES.get(kind, kind.__name__)
                raise self._error((*at, key), f"{key} must be {expected}, not {value!r}")

    def _table(self, content: Mapping[str, Any], key: str, at: Tuple[str, ...]) -> Dict[str, Any]:
        table = content.get(key, {})
        if not isinstance(table, dict):
            raise self._error((*at, key), f"{key} must be a table: [{key}]")
        return table

    def _known(self, found: Iterable[str], known: Iterable[str], at: Tuple[str, ...]) -> None:
        for key in found:
            if key not in known:
                where = f"[{'.'.join(at)}]" if at else "the file"
                guess = _did_you_mean(key, known)
                expected = ", ".join((*(("provider",) if at[:1] == ("targets",) else ()), *known))
                raise self._error((*at, key), f"unknown key {key!r} in {where}{guess} Expected: {expected}")

    def _error(self, at: Tuple[str, ...], what: str) -> ConfigurationError:
        line = next((self._lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self._lines), None)
        where = f"{self._path}, line {line}" if line else str(self._path)
        return ConfigurationError(f"{where}: {what.rstrip('.')}.".replace("?.", "?"), f"edit {self._path}")

    def _syntax_error(self, message: str) -> ConfigurationError:
        found = _AT_LINE.search(message)
        line = int(found.group(1)) if found and found.group(1) else len(self._text.splitlines()) or 1
        what = _AT_LINE.sub("", message).strip()
        shown = self._text.splitlines()[line - 1].strip() if line <= len(self._text.splitlines()) else ""
        return ConfigurationError(
            f"{self._path}, line {line}: not valid TOML: {what} (the line is: {shown}).", f"edit {self._path}"
        )


def _is_kind(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind is dict:
        return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."


def _lines_of_keys(text: str) -> Dict[Tuple[str, ...], int]:
    """Where each table and key begins. Good enough for a message: what TOML allows beyond this finds its
    table.
    """
    lines: Dict[Tuple[str, ...], int] = {}
    table: Tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?([^\]]+)\]", line)
        key = re.match(
            r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\")(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"))*)\s*=", line
        )
        if header:
            table = _dotted(header.group(1))
            found = table
        elif key:
            found = (*table, *_dotted(key.group(1)))
        else:
            continue
        for length in range(1, len(found) + 1):
            lines.setdefault(found[:length], number)
    return lines


def _dotted(text: str) -> Tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))
