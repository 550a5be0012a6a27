"""Recorded outputs as HTML. They are untrusted: text is escaped, images are images, HTML gets a frame without
scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from kernel_magics.store.model import CellRecord

from .words import flat_text

LONGEST_TEXT = 40_000
"""Characters of one text that a page shows: its beginning and its end."""
LEFT_OUT = "What it showed was not recorded: --no-outputs, or outputs = false in [capture]."
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_ANSI = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-ln-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"


def cells_html(cells: list[CellRecord], facts: Mapping[str, Any]) -> str:
    """The cells of one run: source, then outputs; of a run without any, why that is so by its facts."""
    if not cells:
        return f'<p class="quiet">{escape(why_no_output(facts))}</p>'
    return "".join(_cell(cell) for cell in cells)


def why_no_output(facts: Mapping[str, Any]) -> str:
    """Of a run without a tracked cell; the same sentences as ``labextension/src/compare/nooutput.ts``."""
    said = "No output was recorded: only cells with %%track keep theirs"
    script, notebook = facts.get("script"), facts.get("notebook")
    if isinstance(script, str):
        return f"{said}, and this run is of the script {_last_part(script)}."
    where = _last_part(notebook) if isinstance(notebook, str) else "its notebook"
    return f"{said}. What its cell showed is in {where}, if that was saved."


def _last_part(path: str) -> str:
    return flat_text(path.rsplit("/", 1)[-1])


def _cell(cell: CellRecord) -> str:
    count = f"[{cell.execution_count}]" if cell.execution_count is not None else "[ ]"
    source = ""
    if cell.source:
        code = f'<pre class="source">{escape(cell.source)}</pre>'
        source = f"<details><summary>cell {escape(count)}</summary>{code}</details>"
    shown = "".join(output_html(output) for output in cell.outputs)
    nothing = "It showed nothing." if cell.recorded else LEFT_OUT
    said = "" if shown and cell.recorded else f"<p class=quiet>{nothing}</p>"
    return f'<div class="cell">{source}{said}{shown}</div>'


def output_html(output: Mapping[str, Any]) -> str:
    """One nbformat output; safe to put into a page."""
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return f'<pre class="{name}">{text_html(str(output.get("text", "")))}</pre>'
    if kind == "error":
        lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
        return f'<pre class="error">{text_html(chr(10).join(map(str, lines)))}</pre>'
    data = output.get("data")
    return _bundle(data if isinstance(data, Mapping) else {})


def _bundle(data: Mapping[str, Any]) -> str:
    for mime in _IMAGES:
        image = _joined(data.get(mime))
        if image and _BASE64.fullmatch(image):
            words = escape(_joined(data.get("text/plain"))[:200])
            return f'<img alt="{words}" src="data:{mime};base64,{image.strip()}">'
    svg = _joined(data.get("image/svg+xml"))
    if svg:
        return _frame(svg)
    page = _joined(data.get("text/html"))
    if page:
        return _frame(page)
    text = _joined(data.get("text/plain")) or _joined(data.get("text/markdown"))
    if text:
        return f'<pre class="result">{text_html(text)}</pre>'
    kinds = ", ".join(sorted(str(mime) for mime in data)) or "nothing"
    return f'<p class="quiet">An output that a page cannot show: {escape(kinds)}</p>'


def _frame(page: str) -> str:
    """A frame without scripts or network. That it shares the page's origin lets the page see its height."""
    whole = (
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_FRAME_STYLE}</style>{page}'
    )
    return f'<iframe class="html" sandbox="allow-same-origin" srcdoc="{escape(whole)}"></iframe>'


_FRAME_STYLE = (
    "body{font:13px system-ui,sans-serif;margin:4px;color:#24292f;background:#fff}"
    "table{border-collapse:collapse}td,th{padding:2px 8px;text-align:right}"
)


def _joined(value: object) -> str:
    """nbformat allows a text as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value) if value is not None else ""


def text_html(text: str) -> str:
    """Terminal text as HTML: carriage returns overwrite, colours are kept, everything else is escaped."""
    if len(text) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out here …\n{text[-half:]}"
    text = "\n".join(_overwritten(line) for line in _OTHER_ESCAPES.sub("", text).split("\n"))
    parts, opened, style = [], False, ""
    for place, piece in enumerate(_ANSI.split(text)):
        if place % 2 == 0:
            parts.append(escape(piece))
            continue
        style = _style(style, piece)
        parts.append("</span>" if opened else "")
        parts.append(f'<span class="{style}">' if style else "")
        opened = bool(style)
    return "".join(parts) + ("</span>" if opened else "")


def _overwritten(line: str) -> str:
    """What a terminal would show of a line with carriage returns."""
    return line.rstrip("\r").rsplit("\r", 1)[-1]


def _style(before: str, codes: str) -> str:
    """CSS classes after an SGR sequence (ECMA-48): bold and the sixteen foreground colours."""
    classes = before.split()
    for code in (int(code or 0) for code in codes.split(";")):
        if code == 0:
            classes = []
        elif code == 1:
            classes.append("b")
        elif 30 <= code <= 37 or 90 <= code <= 97:
            classes = [name for name in classes if name == "b"] + [f"c{code % 10}"]
        elif code == 39:
            classes = [name for name in classes if name == "b"]
    return " ".join(dict.fromkeys(classes))
