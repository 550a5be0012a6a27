"""A remote NameError about a name that lives here says so."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Optional

_UNDEFINED = re.compile(r"name '([^']+)' is not defined")


class NameHint:
    """Adds a line to the traceback of a ``NameError``, where the name exists in the local kernel."""

    def __init__(self, shell: Any, machine: str) -> None:
        self._shell = shell
        self.machine = machine

    def add_to(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """``content`` of an ``error`` message or a reply, with the hint where it helps."""
        name = self._name_from_here(content)
        if name is None:
            return content
        hint = (
            f"`{name}` exists in this notebook's own kernel, not on {self.machine}, where this cell ran. "
            f"%gpu_push {name} takes it there; or run the cell that makes it again."
        )
        changed: Dict[str, Any] = dict(content)
        changed["traceback"] = [*content.get("traceback", ()), hint]
        return changed

    def _name_from_here(self, content: Mapping[str, Any]) -> Optional[str]:
        if content.get("ename") != "NameError":
            return None
        found = _UNDEFINED.match(str(content.get("evalue", "")))
        if not found:
            return None
        name = found.group(1)
        mine = name in self._shell.user_ns and name not in self._shell.user_ns_hidden
        return name if mine else None
