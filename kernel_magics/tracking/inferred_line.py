"""Reading metrics from one line of output: ``epoch 3/10 loss 0.31 acc: 0.9``.

A grammar rather than a model: what is taken for a metric can be told in the terms of this file, and
every kind of line that must give none is in the tests' corpus. A pair is ``name=number`` or
``name: number``; without a sign between them only names that are known for metrics count.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from kernel_magics.tracking.inferred_words import FUNCTION, HARD_STOP, KNOWN, SPLITS, STOP

MAX_LINE = 1000
_MAX_WORDS = 3
_MAX_NAME = 60


class Count(NamedTuple):
    """A place in a sequence: the ``n``-th of ``total``, when that was said."""

    n: int
    total: Optional[int] = None


@dataclass
class Reading:
    """What a line says: numbers by name, and where in the training it stands."""

    values: Dict[str, float] = field(default_factory=dict)
    epoch: Optional[Count] = None
    step: Optional[Count] = None


_NUMBER = (
    r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
    r"|nan|NaN|inf|Inf|Infinity)"
)
_AFTER = r"(?P<unit>\s?%|\s?(?:s|sec|secs|seconds)(?![\w/]))?(?=$|[\s()\[\]{}!*↑↓]|\.(?:\s|$))"
_NAME = r"[A-Za-z_][\w.@/'%\-]{0,59}"  # bounded, as every repetition here, so that no line takes long
_PAIR = re.compile(
    rf"[\s()\[\]]*(?P<name>{_NAME}(?:[ ]{_NAME})*)(?P<sep>\s*:\s*|\s*=(?!=)\s*)(?P<number>{_NUMBER}){_AFTER}"
)
_BARE = re.compile(rf"[\s()\[\]]*(?P<name>{_NAME}(?:[ ]{_NAME})?)(?P<sep>\s+)(?P<number>{_NUMBER}){_AFTER}")
_TIGHT = re.compile(rf"(?:^|(?<=[\s(\[{{]))(?P<name>{_NAME})(?P<sep>=)(?P<number>{_NUMBER}){_AFTER}")
_BARE_LINE = re.compile(rf"^\W*(?:{_NAME}[ ])?(?P<name>{_NAME})\s+[-+.\d]").match
_SEPARATORS = re.compile(r"[;|\t]|,(?!\d{3}(?!\d))| [-–—] |\s{2,}|->|=>|→")

_COUNT = (
    r"\s*[:=#]?\s*[\[(]?\s*(\d+)(?:\s*(?:/|of)\s*(\d+))?(?:\s*\(\s*\d+(?:\.\d+)?%\s*\))?"
    r"\s*[\])]?(?![\w%]|\.\d|/\d|-\d|:\d)"
)
_EPOCH = re.compile(rf"\b(?:epochs?|ep)\b\.?{_COUNT}", re.I)
_STEP = re.compile(
    rf"\b(?:global[_ ]step|steps?|iter(?:ation)?|batch|episode|round|trial|generation|update)\b\.?{_COUNT}",
    re.I,
)
_BRACKET = re.compile(r"[\[(]\s*(\d+)\s*/\s*(\d+)(?:\s*\(\s*\d+(?:\.\d+)?%\s*\))?\s*[\])]")
_LEADING = re.compile(r"^\s*(\d+)\s*/\s*(\d+)(?=[\s:,|-])(?![/.\-]\d)")
_LEADING_PAIR = re.compile(r"^\s*\[\s*(\d+),\s*(\d+)\s*\]")
_LEADING_ONE = re.compile(r"^\s*\[(\d+)\](?=\s)")

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x08|\u2007")
_SCALAR = re.compile(
    r"\b(?:np\.)?(?:float|int|bfloat)\d+\(([^()]*)\)|\btensor\(\s*([-+\w.]+)\s*(?:,[^()]*)?\)"
)
_LOG_PREFIX = re.compile(
    r"\s*(?:\[?\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?Z?)?\]?|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?"
    r"|[\[(<]?(?:DEBUG|INFO|WARNING|ERROR|CRITICAL|NOTICE)[\])>]?(?::[\w.]+:)?"
    r"|\[[A-Za-z][\w.]*\](?=\s))\s*(?:[|\-:]\s+)?"
)
_PATH = re.compile(
    r"(?<![\w.])(?:\w+://|~?/|\.{1,2}/|[A-Za-z]:\\)\S*|(?<!\S)\S*/\S*/\S*|(?<![^\s/])[^\s/]*\.[A-Za-z]\w{0,6}(?=[\s,;:)\]'\"]|$)\S*"
)
_CALLED = re.compile(r"[A-Za-z_][\w.]*\(")
_LABEL = re.compile(r"\s*(?P<label>[A-Za-z][\w ]*?)\s*:\s+(?=[A-Za-z])(?!(?:nan|inf)(?:inity)?\b)", re.I)
_NOT_OUTPUT = re.compile(
    r'^\s*(?:File "|Traceback|-+>? ?\d+ |Collecting |Requirement already|Successfully |Downloading )'
    r"|Warning:|Error:|[│┃║]|\bversions?\b\s*\d"
)
_NUMERIC = re.compile(r"\d|nan|inf", re.I)
_MAYBE = re.compile(r"[:=]|\b(?:ep|epochs?|steps?|iter|iteration|batch|episode|round|trial)\b", re.I)


def read_line(line: str) -> Optional[Reading]:
    """The metrics of one line, without its end; ``None`` when it says nothing."""
    if len(line) > MAX_LINE or not _NUMERIC.search(line) or not (_MAYBE.search(line) or _BARE_LINE(line)):
        return None
    text = _ANSI.sub(" ", line)
    if _NOT_OUTPUT.search(text):
        return None
    while True:
        stamp = _LOG_PREFIX.match(text)
        if not stamp or not stamp.group().strip():
            break
        text = text[stamp.end() :]
    reading = Reading()
    text = _take_dict(_plain_numbers(text), reading)
    text = _PATH.sub(_blank_path, _without_calls(text))
    text = _take_counts(text, reading)
    placed = reading.epoch is not None or reading.step is not None
    prefix = ""
    for segment in _SEPARATORS.split(text):
        label = _LABEL.match(segment)
        if label and len(label.group("label").split()) <= _MAX_WORDS:
            prefix = _split_name(label.group("label"))
            segment = segment[label.end() :]
        for name, value in _pairs(segment, placed):
            reading.values.setdefault(prefix + name, value)
    return reading if reading.values or placed else None


def read_mapping(text: str) -> Optional[Reading]:
    """The metrics of a result such as ``{'loss': 0.3, 'acc': 0.9}``, from its repr."""
    reading = Reading()
    left = _take_dict(_plain_numbers(text), reading)
    return reading if reading.values and not left.strip() else None


def metric_name(words: str) -> Optional[str]:
    """A metric's name for these words, or ``None`` when they do not name a metric."""
    name = "_".join(words.split()).strip("'-.")
    parts = re.split(r"[^a-z0-9]+", name.lower())
    refused = HARD_STOP if is_known(name) else STOP | HARD_STOP
    if not 2 <= len(name) <= _MAX_NAME or any(part in refused for part in (*parts, name.lower())):
        return None
    return name


def is_known(words: str) -> bool:
    """Whether a word of the name is known for a metric (``val_loss``, ``top1``)."""
    return any(part in KNOWN for part in (*re.split(r"[^a-z0-9]+", words.lower()), words.lower()))


def _plain_numbers(text: str) -> str:
    """``np.float64(0.3)`` and ``tensor(0.3, grad_fn=<…>)`` as the number in them."""
    return _SCALAR.sub(lambda found: found.group(1) or found.group(2), text) if "(" in text else text


def _take_dict(text: str, reading: Reading) -> str:
    """Take the numbers of a dict's repr out of ``text``; its rest."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return text
    try:
        found = ast.literal_eval(re.sub(r"(?<=[\s:,\[(])(nan|-?inf)\b", "None", text[start : end + 1]))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    if isinstance(found, dict):
        for name, value in _numbers_in(found):
            _place(name, value, reading)
    return text[:start] + text[end + 1 :]


def _numbers_in(found: Dict[Any, Any], prefix: str = "") -> Iterator[Tuple[str, float]]:
    for key, value in found.items():
        if not isinstance(key, str):
            continue
        if isinstance(value, dict) and not prefix:
            yield from _numbers_in(value, f"{key}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield prefix + key, float(value)


def _place(key: str, value: float, reading: Reading) -> None:
    if key.lower() == "epoch" and value.is_integer():
        reading.epoch = Count(int(value))
    elif key.lower() in ("step", "global_step", "iteration", "iter") and value.is_integer():
        reading.step = Count(int(value))
    else:
        name = metric_name(key)
        if name is not None:
            reading.values[name] = value


def _split_name(label: str) -> str:
    """``Test set: loss 0.3`` and ``Train: loss 0.3`` are two metrics: the label becomes part of the name."""
    words = label.split()
    return "_".join(words) + "_" if SPLITS.intersection(word.lower() for word in words) else ""


def _without_calls(text: str) -> str:
    """``Adam(lr=0.001, betas=(0.9, 0.999))`` describes an object; its numbers are no metrics."""
    at = 0
    while True:
        found = _CALLED.search(text, at)
        if found is None:
            return text
        depth, end = 1, found.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = text[: found.start()] + "\0" + text[end:]
        at = found.start() + 1


def _blank_path(found: re.Match[str]) -> str:
    """Paths, URLs and file names say ``lr=0.1`` too; ``val/loss`` and ``3/10`` are none."""
    token = found.group()
    if re.fullmatch(r"[\d.,]+(?:/[\d.]+)?\S{0,2}", token):
        return token
    named = re.match(r"\w+://|~?/|\.{1,2}/|[A-Za-z]:\\", token) or token.endswith(("/", "\\"))
    if named or re.search(r"\.[A-Za-z]\w{0,6}['\")\],;:]*$", token):
        return "\0"
    return "\0" if re.sub(r"\d+/\d+|\w+/s\b", "", token).count("/") >= 2 else token


def _take_counts(text: str, reading: Reading) -> str:
    """Take epoch and step out of ``text``; its rest."""
    both = _LEADING_PAIR.match(text)
    if both:
        reading.epoch, reading.step = Count(int(both.group(1))), Count(int(both.group(2)))
        return text[both.end() :].lstrip(" :")
    for kind, pattern in (("epoch", _EPOCH), ("step", _STEP)):
        found = pattern.search(text)
        if found and getattr(reading, kind) is None:
            setattr(reading, kind, _count(found))
            text = text[: found.start()] + "|" + text[found.end() :].lstrip(" :,-")
    if reading.step is None:
        for pattern in (_BRACKET, _LEADING, _LEADING_ONE):
            found = pattern.search(text)
            if found:
                reading.step = _count(found)
                return text[: found.start()] + "|" + text[found.end() :].lstrip(" :,-")
    return text


def _count(found: re.Match[str]) -> Count:
    total = found.group(2) if found.re.groups > 1 else None
    return Count(int(found.group(1)), int(total) if total else None)


def _pairs(segment: str, placed: bool) -> Iterator[Tuple[str, float]]:
    """The pairs of one segment of a line: all of it must be pairs, but for a word before and after."""
    matches: List[re.Match[str]] = []
    at = 0
    while True:
        found = _PAIR.match(segment, at) or _bare(segment, at)
        if found is None:
            break
        matches.append(found)
        at = found.end()
    rest = segment[at:].strip()
    if matches and rest and not _may_follow(rest):
        matches.pop()
    if matches and matches[0].group("sep").isspace() and not placed and rest:
        matches = []
    if not matches:
        matches = list(_TIGHT.finditer(segment))
    for found in matches:
        name = _named(found)
        if name is not None:
            yield name, _number(found.group("number"))


def _bare(segment: str, at: int) -> Optional[re.Match[str]]:
    found = _BARE.match(segment, at)
    return found if found and is_known(found.group("name")) else None


def _may_follow(rest: str) -> bool:
    return rest[0] in "()[]{}.!*↑↓" or rest.split(None, 1)[0].lower() in FUNCTION


def _named(found: re.Match[str]) -> Optional[str]:
    words = found.group("name").split()
    if found.group("sep") == "=":
        words = words[-1:]  # "training with lr=0.1"
    elif len(words) > _MAX_WORDS:
        words = words[-1:] if is_known(words[-1]) else []
    return metric_name(" ".join(words)) if words else None


def _number(text: str) -> float:
    return float(text.replace(",", ""))
