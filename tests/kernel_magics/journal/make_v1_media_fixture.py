"""How fixtures/v1_media.journal and .json were made: what version 1 gained later. Run by hand, once."""

from __future__ import annotations

import json
from pathlib import Path

from kernel_magics.journal import format as fmt

FOLDER = Path(__file__).parent / "fixtures"
WRITER = {
    "id": "main-00000002",
    "pid": 42,
    "ancestors": [7],
    "start_ticks": 123456,
    "host": "box",
    "rank": 0,
    "world_size": 2,
    "role": "main",
}
RUN = {
    "id": "20261122-130000-abcdef",
    "project": "p",
    "name": "n",
    "group": None,
    "tags": [],
    "created": 1795352400.0,
}
WHEN = {"step": 3, "time": 1795352401.5}
HISTOGRAM = {"edges": [0.0, 0.5, 1.0], "counts": [1, 2], "nan": 1, "posinf": 0, "neginf": 0}
TABLE = {"columns": ["a"], "data": [[1], ["größe"], [None]]}
CONTENT: list[tuple[int, dict[str, object]]] = [
    (1, {**RUN, "writer": WRITER}),
    (5, {"id": 0, "name": "loss", "source": "logged"}),
    (5, {"id": 0, "name": "loss", "source": "logged", "better": "lower", "unit": "nats", "x": "epoch"}),
    (
        14,
        {
            "metric": "h",
            **WHEN,
            "bins": 2,
            "type": "histogram",
            "mime": "application/json",
            "size": 71,
            "content": HISTOGRAM,
        },
    ),
    (
        14,
        {
            "metric": "t",
            **WHEN,
            "rows": 3,
            "columns": 1,
            "type": "table",
            "mime": "application/json",
            "size": 49,
            "content": TABLE,
        },
    ),
    (14, {"metric": "p", **WHEN, "type": "html", "mime": "text/html", "size": 8, "content": "<b>x</b>"}),
    (
        14,
        {
            "metric": "val/sample",
            **WHEN,
            "index": 1,
            "of": 2,
            "caption": "c",
            "width": 3,
            "height": 2,
            "clipped": [-1.0, 2.0],
            "type": "image",
            "mime": "image/png",
            "size": 99,
            "digest": "0" * 64,
        },
    ),
    (
        14,
        {
            "metric": "later",
            **WHEN,
            "type": "hologram",
            "mime": "x/y",
            "size": 1,
            "content": {"of": "a later version"},
        },
    ),
    (
        10,
        {"time": 1795352402.0, "name": "clock-jumped", "level": "warning", "detail": "…", "seconds": -3600.0},
    ),
    (12, {"time": 1795352403.0, "status": "finished", "detail": ""}),
]


def main() -> None:
    frames = [fmt.pack_frame(kind, fmt.pack_json(content)) for kind, content in CONTENT]
    (FOLDER / "v1_media.journal").write_bytes(fmt.pack_header() + b"".join(frames))
    expected = {"frames": [list(one) for one in CONTENT], "skipped": [], "tail": 0}
    text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "v1_media.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
