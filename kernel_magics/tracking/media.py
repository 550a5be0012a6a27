"""What ``log()`` takes beside numbers: things to look at, kept by step.

``Image`` and ``Histogram`` live in :mod:`kernel_magics.tracking.picture` and
:mod:`kernel_magics.tracking.histogram`. Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from kernel_magics.model import counted

LIMIT = 16 * 1024 * 1024
"""Bytes of one item, encoded. ``log_artifact`` keeps files of any size."""


class Unusable(ValueError):
    """Something that cannot be kept; the message says what it is ("a Table of one str")."""


class Encoded(NamedTuple):
    """An item as it is recorded.

    Attributes:
        type: ``image``, ``table``, ``html`` or ``histogram``.
        mime: of the bytes; of ``content`` when that were written as bytes.
        data: the bytes; ``None`` when there is ``content``.
        content: text or a JSON object, which the journal holds itself when it is short.
        about: more keys of the ``media`` frame.
    """

    type: str
    mime: str
    data: Optional[bytes] = None
    content: Any = None
    about: Mapping[str, Any] = {}


class Media:
    """Something to look at. It is read when it is logged; what happens to it afterwards changes nothing.

    Making one never raises. What cannot be kept is a warning of the ``log()`` it is given to.
    """

    def encode(self) -> Encoded:
        """
        Raises:
            Unusable: it cannot be kept; says why.
            OSError: its file cannot be read.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Html(Media):
    """A piece of HTML, shown in a frame of its own that can reach nothing around it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def encode(self) -> Encoded:
        if not isinstance(self._text, str):
            raise Unusable(f"an Html made of a {type(self._text).__name__} instead of a str")
        return Encoded("html", "text/html", content=self._text)


class Table(Media):
    """Rows under named columns.

    Args:
        columns: the columns' names, or a ``pandas.DataFrame`` (its index is left out).
        rows: one sequence per row, as long as ``columns``. Numbers, texts, bools and ``None`` are kept as
            they are; anything else as a text that shows it.
    """

    def __init__(self, columns: Any, rows: Optional[Iterable[Sequence[Any]]] = None) -> None:
        self._columns = columns
        self._rows = rows

    def encode(self) -> Encoded:
        columns, rows = self._columns, self._rows
        if rows is None and hasattr(columns, "itertuples"):
            columns, rows = columns.columns, columns.itertuples(index=False, name=None)
        if isinstance(columns, str) or rows is None:
            raise Unusable(
                "a Table without rows: Table(columns, rows)" if rows is None else "a Table of one str"
            )
        names = [str(name) for name in columns]
        data: List[List[Any]] = []
        for number, row in enumerate(rows):
            cells = [row] if isinstance(row, (str, bytes)) else list(row)
            if len(cells) != len(names):
                raise Unusable(
                    f"a Table of which row {number} has {counted(len(cells), 'cell')}, not {len(names)}"
                )
            data.append(cells)
        about: Dict[str, Any] = {"rows": len(data), "columns": len(names)}
        return Encoded("table", "application/json", content={"columns": names, "data": data}, about=about)
