"""Whether a run is meant by a filter."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kernel_magics.model import RunInfo

from . import literals, patterns
from .fields import kind_of
from .tree import (
    All,
    And,
    Compare,
    Expression,
    Field,
    Has,
    Literal,
    Not,
    OneOf,
    Or,
    Search,
    Within,
)

Matches = Callable[[RunInfo], bool]
_DURATION = Field("run", "duration")
_SPELLED = {math.inf: "Infinity", -math.inf: "-Infinity"}


def matcher(expression: Expression, now: float | None = None) -> Matches:
    """A test for runs.

    Args:
        now: seconds since the epoch, for ``-2d`` and for how long a run has been running.
    """
    return _test(expression, time.time() if now is None else now)


def unknown_fields(expression: Expression, runs: Iterable[RunInfo]) -> list[str]:
    """Fields of the filter that none of these runs has: perhaps their names are spelled wrongly."""
    wanted = {str(field): field for field in _fields(expression) if field.kind != "run"}
    for run in runs:
        for text in [text for text, field in wanted.items() if _value(run, field, 0.0) is not None]:
            del wanted[text]
        if not wanted:
            break
    return list(wanted)


def _fields(expression: Expression) -> Iterable[Field]:
    if isinstance(expression, (And, Or)):
        for part in expression.parts:
            yield from _fields(part)
    elif isinstance(expression, Not):
        yield from _fields(expression.part)
    elif isinstance(expression, (Compare, OneOf, Within, Has)):
        yield expression.field


def _test(expression: Expression, now: float) -> Matches:
    if isinstance(expression, And):
        tests = [_test(part, now) for part in expression.parts]
        return lambda run: all(test(run) for test in tests)
    if isinstance(expression, Or):
        tests = [_test(part, now) for part in expression.parts]
        return lambda run: any(test(run) for test in tests)
    if isinstance(expression, Not):
        test = _test(expression.part, now)
        return lambda run: not test(run)
    if isinstance(expression, Search):
        wanted = expression.text.lower()
        return lambda run: wanted in haystack(run)
    if isinstance(expression, All):
        return lambda _run: True
    return _of_value(expression, now)


def _of_value(expression: Compare | OneOf | Within | Has, now: float) -> Matches:
    field = expression.field
    if isinstance(expression, Has):
        return lambda run: _is_something(_value(run, field, now))
    if isinstance(expression, OneOf):
        equals = [_equals(field, value, now) for value in expression.values]
        return lambda run: any(equal(_value(run, field, now)) for equal in equals)
    if isinstance(expression, Within):
        within = _contains(expression.value)
        return lambda run: within(_value(run, field, now))
    if expression.op in ("!=", "!~"):
        compare = _comparison(field, "=" if expression.op == "!=" else "~", expression.value, now)
        return lambda run: not compare(_value(run, field, now))
    compare = _comparison(field, expression.op, expression.value, now)
    return lambda run: compare(_value(run, field, now))


def _comparison(field: Field, op: str, value: Literal, now: float) -> Callable[[Any], bool]:
    if op == "=":
        return _equals(field, value, now)
    if op == "~":
        pattern = patterns.compiled(value.text)
        if isinstance(pattern, str):
            return lambda _found: False  # parsing has refused it
        return lambda found: any(
            isinstance(one, str) and pattern.occurs_in(one.lower()) for one in _elements(found)
        )
    low, high = _limits(field, value, now)
    if op in ("<", ">="):
        high = low
    if op in ("<", "<="):
        below = op == "<" or low != high  # the end of a day does not belong to it
        return lambda found: _is_number(found) and (found < high if below else found <= high)
    above = op == ">=" or low != high
    return lambda found: _is_number(found) and (found >= high if above else found > high)


def _limits(field: Field, value: Literal, now: float) -> tuple[float, float]:
    """What a literal is compared by: a number twice, or the beginning and the end of a moment."""
    kind = kind_of(field)
    if kind == "time":
        return literals.moment(value.text, now) or (math.nan, math.nan)
    found = literals.span(value.text) if kind == "span" else literals.number(value.text)
    return (math.nan, math.nan) if found is None else (found, found)


def _equals(field: Field, value: Literal, now: float) -> Callable[[Any], bool]:
    text = value.text.lower()
    if text == "none" and not value.quoted:
        return lambda found: found is None or found == "" or found == []
    kind = kind_of(field)
    if kind == "time":
        low, high = _limits(field, value, now)
        return lambda found: _is_number(found) and (low <= found < high or found == low)
    number = None if value.quoted else literals.number(value.text)
    if kind == "span":
        number = literals.span(value.text)

    def equal(found: Any) -> bool:
        if isinstance(found, bool):
            return not value.quoted and text == ("true" if found else "false")
        if isinstance(found, (int, float)):
            same_nan = number is not None and number != number and found != found
            return same_nan or found == number
        return isinstance(found, str) and found.lower() == text

    return lambda found: any(equal(one) for one in _elements(found))


def _contains(value: Literal) -> Callable[[Any], bool]:
    equal = _equals(Field("config", ""), value, 0.0)
    text = value.text.lower()

    def within(found: Any) -> bool:
        return text in found.lower() if isinstance(found, str) else isinstance(found, list) and equal(found)

    return within


def _elements(found: Any) -> list[Any]:
    return [_spelled(one) for one in found] if isinstance(found, list) else [found]


def _is_number(found: Any) -> bool:
    return isinstance(found, (int, float)) and not isinstance(found, bool)


def _is_something(found: Any) -> bool:
    return found is not None and found is not False and found not in ("", [], {})


def _value(run: RunInfo, field: Field, now: float) -> Any:
    """What a run has there; ``None`` for nothing. Lists are lists, never tuples."""
    if field == _DURATION:
        return max(0.0, (now if run.finished is None else run.finished) - run.created)
    if field.kind == "run":
        return _OF_RUN[field.name](run)
    if field.kind == "metric":
        return _of_metric(run, field)
    return _spelled(_at(getattr(run, field.kind), field.name))


def _at(mapping: Mapping[str, Any], name: str) -> Any:
    """The value of a key, or of a path of keys with dots between them."""
    if name in mapping:
        return mapping[name]
    for end in range(len(name) - 1, 0, -1):
        if name[end] == "." and isinstance(inner := mapping.get(name[:end]), Mapping):
            found = _at(inner, name[end + 1 :])
            if found is not None:
                return found
    return None


def _spelled(value: Any) -> Any:
    return literals.SPELLED.get(value, value) if isinstance(value, str) else value


def _of_metric(run: RunInfo, field: Field) -> Any:
    if field.stat == "last":
        last = _spelled(run.summary.get(field.name))
        return last if _is_number(last) else None
    low, high, better = run.extremes.get(field.name, (None, None, None))
    if field.stat == "best":
        return {"lower": low, "higher": high}.get(better)
    return low if field.stat == "min" else high


def _fact(name: str) -> Callable[[RunInfo], Any]:
    return lambda run: run.facts.get(name)


_OF_RUN: dict[str, Callable[[RunInfo], Any]] = {
    "name": lambda run: run.name,
    "id": lambda run: run.id,
    "project": lambda run: run.project,
    "status": lambda run: str(run.status),
    "detail": lambda run: run.status_detail,
    "group": lambda run: run.group,
    "tags": lambda run: list(run.tags),
    "notes": lambda run: run.notes,
    "host": _fact("host"),
    "notebook": _fact("notebook"),
    "lease": _fact("lease"),
    "error": lambda run: f"{run.error['ename']}: {run.error['evalue']}" if run.error else None,
    "started": lambda run: run.created,
    "finished": lambda run: run.finished,
    "pinned": lambda run: run.pinned,
    "archived": lambda run: run.archived,
}


def haystack(run: RunInfo) -> str:
    """Everything of a run that a search looks at, in lower case, a line each."""
    lines = [run.name, run.project, run.group or "", *run.tags, str(run.status), run.id, run.notes]
    lines += [str(run.facts.get(name) or "") for name in ("notebook", "host")]
    lines += [f"{key}={value}" for key, value in _flat(run.config)]
    return "\n".join(lines).lower()


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", plain_text(value)


def plain_text(value: Any) -> str:
    """A value as a search sees it: numbers as JavaScript writes them, elements of a list with commas between
    them."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(plain_text, value))
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{plain_text(one)}" for key, one in value.items())
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        huge = isinstance(value, int) and abs(value) >= 1 << 1000
        return str(value) if huge else number_text(float(value))
    return str(value)


def number_text(value: float) -> str:
    """A number as ``String(value)`` writes it in JavaScript (ECMA-262, Number::toString)."""
    if value != value or value in _SPELLED:
        return _SPELLED.get(value, "NaN")
    if value == 0:
        return "0"
    sign, digits, exponent = "-" if value < 0 else "", *_decimal(abs(value))
    if len(digits) <= exponent <= 21:
        return sign + digits + "0" * (exponent - len(digits))
    if 0 < exponent <= 21:
        return f"{sign}{digits[:exponent]}.{digits[exponent:]}"
    if -6 < exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{exponent - 1:+d}"


def _decimal(value: float) -> tuple[str, int]:
    """The shortest digits of ``value``, and where the point stands: ``0.digits × 10**exponent``."""
    mantissa, _, power = f"{value!r}e0".partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(power.partition("e")[0]) + len(whole)
    digits = whole + fraction
    exponent -= len(digits) - len(digits.lstrip("0"))
    return digits.strip("0"), exponent
