"""CSV and JSON lines.

CSV begins with a line ``# trackside-run {…}`` for each run (``pandas.read_csv(path, comment="#")`` passes
them over), then the columns' names. JSON lines have ``{"run": {…}}`` for each run, then ``{"run": id,
"metric": …}`` for each point; what JSON cannot spell is the string "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from .rows import BLOCK, COLUMNS, Block, Content, Document, checked

_MARK = "# trackside-run "
_LIMIT = 64 * 1024 * 1024
"""Characters of one line of a file that is read."""
Row = tuple[str, str, str, int, float, float]


def write_csv(path: Path, documents: list[Document], blocks: Iterable[Block]) -> None:
    """Documents and blocks as CSV."""
    with path.open("x", encoding="utf-8", newline="") as file:
        for document in documents:
            file.write(_MARK + json.dumps(document, separators=(",", ":")) + "\n")
        file.write(",".join(COLUMNS) + "\n")
        for block in blocks:
            cells = io.StringIO()
            csv.writer(cells).writerow(block[:3])  # what ends a line has to be known, or it is not quoted
            head = cells.getvalue().removesuffix("\r\n")
            rows = zip(*(column.tolist() for column in block[3:]), strict=True)
            file.write("".join([f"{head},{step},{time!r},{value!r}\n" for step, time, value in rows]))


def read_csv(path: Path) -> Content:
    """The inverse of :func:`write_csv`."""
    file = path.open(encoding="utf-8", newline="")
    documents: list[Document] = []
    try:
        first = file.readline(_LIMIT)
        while first.startswith(_MARK):
            documents.append(checked(_one(len(documents) + 1, first[len(_MARK) :])))
            first = file.readline(_LIMIT)
        names = next(csv.reader([first]), [])
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise ValueError(f"it has no column {missing[0]!r}; it must have {', '.join(COLUMNS)}")
        places = [names.index(name) for name in COLUMNS]
    except BaseException:
        file.close()
        raise
    return documents, _blocks(_csv_rows(file, places, len(documents) + 1))


def _csv_rows(file: TextIO, places: list[int], line: int) -> Iterator[Row]:
    run, metric, source, step, time, value = places
    with file:
        for number, row in enumerate(_csv_lines(file), line + 1):
            try:
                yield row[run], row[metric], row[source], int(row[step]), float(row[time]), float(row[value])
            except (ValueError, IndexError) as error:
                if row:
                    raise ValueError(f"line {number} is no point ({error})") from None


def _csv_lines(file: TextIO) -> Iterator[list[str]]:
    try:
        yield from csv.reader(file)
    except csv.Error as error:  # a cell longer than Python's module takes
        raise ValueError(str(error)) from None


def write_jsonl(path: Path, documents: list[Document], blocks: Iterable[Block]) -> None:
    """Documents and blocks as JSON lines."""
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for document in documents:
            file.write(json.dumps({"run": _spelled(document)}, separators=(",", ":"), allow_nan=False) + "\n")
        for block in blocks:
            names = dict(zip(COLUMNS[:3], block[:3], strict=True))
            head = json.dumps(names, separators=(",", ":"))[:-1]
            times, values = map(_json_numbers, (block.time, block.value))
            rows = zip(block.step.tolist(), times, values, strict=True)
            file.write("".join([f'{head},"step":{s},"time":{t},"value":{v}}}\n' for s, t, v in rows]))


def _json_numbers(column: Any) -> list[str]:
    texts = list(map(repr, column.tolist()))
    for place in np.flatnonzero(~np.isfinite(column)).tolist():
        texts[place] = f'"{_word(float(column[place]))}"'
    return texts


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": _word(value)}  # a text "NaN" in a config stays a text
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, (list, tuple)) else value


def _unspelled(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$float"} and value["$float"] in ("NaN", "Infinity", "-Infinity"):
            return float(value["$float"])
        return {key: _unspelled(item) for key, item in value.items()}
    return [_unspelled(item) for item in value] if isinstance(value, list) else value


def read_jsonl(path: Path) -> Content:
    """The inverse of :func:`write_jsonl`. Documents come before points."""
    file = path.open(encoding="utf-8")
    documents: list[Document] = []
    try:
        lines = _json_lines(file)
        first = next(lines, None)
        while first is not None and isinstance(first[1].get("run"), dict):
            documents.append(checked(_unspelled(first[1]["run"])))
            first = next(lines, None)
    except BaseException:
        file.close()
        raise
    rest = lines if first is None else chain([first], lines)
    return documents, _blocks(_json_rows(file, rest))


def _json_lines(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbers and objects of the lines; many are decoded in one call."""
    number = 1
    while lines := list(islice(file, 2000)):
        full = [(place, line) for place, line in enumerate(lines, number) if not line.isspace()]
        try:
            found = json.loads(f"[{','.join(line for _place, line in full)}]")
        except (ValueError, RecursionError):
            found = [_one(*one) for one in full]
        for (place, _line), one in zip(full, found, strict=True):
            if not isinstance(one, dict):
                raise ValueError(f"line {place} is no JSON object")
            yield place, one
        number += len(lines)


def _one(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is not JSON ({error})") from None


def _json_rows(file: TextIO, lines: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[Row]:
    with file:
        for number, one in lines:
            try:
                names = one["run"], one["metric"], one["source"]
                if not (isinstance(one["step"], int) and all(isinstance(name, str) for name in names)):
                    raise ValueError("run, metric and source are texts, step is a whole number")
                yield (*names, one["step"], float(one["time"]), float(one["value"]))
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                raise ValueError(f"line {number} is no point ({error})") from None


def _blocks(rows: Iterable[Row]) -> Iterator[Block]:
    """Rows gathered to blocks of one metric each."""
    rows = iter(rows)
    while some := list(islice(rows, BLOCK)):
        start = 0
        for place in range(1, len(some) + 1):
            if place == len(some) or some[place][:3] != some[start][:3]:
                _run, _metric, _source, steps, times, values = zip(*some[start:place], strict=True)
                try:
                    step = np.array(steps, np.int64)
                except OverflowError:
                    raise ValueError("a step is beyond 64 bits") from None
                yield Block(*some[start][:3], step, np.array(times), np.array(values))
                start = place
