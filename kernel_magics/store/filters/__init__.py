"""Which runs are meant: ``config.lr < 0.1 and status = finished and "bert" in name``.

``docs/filter.md`` is the specification. The panel evaluates the same language in the browser
(``labextension/src/filter``); ``tests/contracts/golden/filters.json`` pins both.
"""

from __future__ import annotations

from .matching import Matches, matcher, unknown_fields
from .parser import parse
from .tree import Expression, FilterMistake, Search, to_text

__all__ = [
    "Expression",
    "FilterMistake",
    "Matches",
    "Search",
    "matcher",
    "parse",
    "to_text",
    "unknown_fields",
]
