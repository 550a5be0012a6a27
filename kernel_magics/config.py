"""``trackside.toml``: the section ``[capture]``. Each part of Trackside reads its own sections.

Stays at home: a GPU machine is told what it has to know with each cell.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.errors import ConfigurationError
from kernel_magics.model import CaptureSettings

SECTIONS = ("capture", "limits", "targets")
"""All that ``trackside.toml`` may hold, by whoever reads it."""


def capture_settings(path: Path | None = None) -> CaptureSettings:
    """The ``[capture]`` section; the defaults where there is no file, no section, or no key.

    Args:
        path: the configuration; by default where :func:`kernel_magics.paths.config_path` says.

    Raises:
        ConfigurationError: names file and line, and what was expected there.
    """
    path = paths.config_path() if path is None else path
    text = _read(path)
    if text is None:
        return CaptureSettings()
    content = _parse(text, path)
    for key in content:
        if key not in SECTIONS:
            raise _unknown(path, text, key, SECTIONS, "section")
    section = content.get("capture", {})
    if not isinstance(section, dict):
        raise _error(path, _line_of(text, "capture"), "[capture] must be a section of its own", "[capture]")
    names = [field.name for field in fields(CaptureSettings)]
    for key, value in section.items():
        if key not in names:
            raise _unknown(path, text, key, names, "key of [capture]", section="capture")
        if not isinstance(value, bool):
            line = _line_of(text, key, section="capture")
            raise _error(path, line, f"`{key}` must be true or false, not {value!r}", f"{key} = true")
    return CaptureSettings(**section)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _error(path, line, "the file is not UTF-8", "save it as UTF-8") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    import tomllib  # only where there is a file: init() is quick

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise _error(path, line, f"this is not TOML ({what}): {_line(text, line)}", None) from None


def _unknown(
    path: Path, text: str, key: str, known: Any, what: str, section: str | None = None
) -> ConfigurationError:
    import difflib

    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(known)}."
    line = _line_of(text, key, section)
    return _error(path, line, f"`{key}` is no {what}; {hint}", None)


def _error(path: Path, line: int | None, what: str, example: str | None) -> ConfigurationError:
    place = f"{path}, line {line}" if line else str(path)
    return ConfigurationError(
        f"{place}: {what}",
        remedy=f"{example}    (in {path})" if example else f"edit {path}",
    )


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else "the end of the file"


def _line_of(text: str, key: str, section: str | None = None) -> int | None:
    """The line that sets ``key`` in ``section`` (or begins the section ``key``); ``None`` when not found."""
    here: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]#]+?)\s*\]", line)
        if header:
            here = header.group(1).strip()
            if section is None and here.split(".")[0].strip(" \"'") == key:
                return number
        elif here == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
            return number
    return None
