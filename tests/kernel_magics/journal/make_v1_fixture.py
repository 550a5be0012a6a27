"""How fixtures/v1.journal and v1.json were made. Run by hand; never again for version 1: it is the past."""

from __future__ import annotations

import json
import math
from pathlib import Path

from kernel_magics.journal import format as fmt

FOLDER = Path(__file__).parent / "fixtures"
WRITER = {"id": "main-00000001", "pid": 42, "host": "box", "rank": None, "world_size": None, "role": "main"}
RUN = {
    "id": "20261122-120000-abcdef",
    "project": "digits",
    "name": "größe=∞",
    "group": None,
    "tags": ["a"],
    "created": 1795348800.5,
    "writer": WRITER,
}
EVENT = {"time": 1795348801.0, "name": "fault", "level": "error", "detail": "GPU 0: Xid 79"}
OUTPUT = {
    "cell": "m1",
    "n": 0,
    "time": 1795348801.0,
    "type": "stream",
    "content": {"name": "stdout", "text": "hi\n"},
}
FINISH = {
    "time": 1795348802.0,
    "status": "failed",
    "detail": "ValueError: no",
    "error": {"ename": "ValueError", "evalue": "no", "traceback": ["ValueError: no"]},
}


def points(layout: int, step: int, time: float, *values: float) -> bytes:
    packed = fmt.points_packer(len(values)).pack(
        fmt.MARKER, fmt.POINTS_HEAD.size + 8 * len(values), 7, layout, step, time, *values
    )
    return packed[fmt.FRAME_HEAD.size :]


CELL = {"key": "m1", "cell_id": "c", "execution_count": 3, "source": "x = 1", "started": 1795348800.0}
CONTENT: list[tuple[int, object]] = [
    (1, RUN),
    (2, {"python": "3.11.7", "gpus": []}),
    (3, {"lr": 0.1, "optimizer": {"name": "adam"}, "gone": 1}),
    (3, {"gone": None, "$deleted": ["gone"]}),
    (4, {"best": math.inf}),
    (5, {"id": 0, "name": "loss", "source": "logged"}),
    (5, {"id": 1, "name": "train/acc", "source": "logged", "unit": "%", "better": "higher"}),
    (6, {"id": 0, "metrics": [0, 1]}),
    (7, points(0, -5, 1795348800.75, 0.1, math.nan)),
    (7, points(0, 2**62, 1795348800.875, -math.inf, 5e-324)),
    (99, b"a kind of the future"),
    (8, CELL),
    (9, OUTPUT),
    (10, EVENT),
    (11, {"name": "model", "type": "model", "digest": "0" * 64, "size": 3, "path": "/tmp/model.pt"}),
    (13, {"name": "better name", "tags": ["b"], "notes": "n"}),
    (12, FINISH),
]


def main() -> None:
    frames = [
        fmt.pack_frame(kind, content if isinstance(content, bytes) else fmt.pack_json(content))  # type: ignore[arg-type]
        for kind, content in CONTENT
    ]
    damaged = bytearray(frames[9])
    damaged[20] ^= 4
    data = fmt.pack_header() + b"".join(frames[:9]) + bytes(damaged) + b"".join(frames[9:]) + frames[8][:30]
    (FOLDER / "v1.journal").write_bytes(data)
    expected = []
    for kind, content in CONTENT:
        if kind == 7:
            assert isinstance(content, bytes)
            decoded = fmt.unpack_points(content)
            content = [decoded.layout, decoded.step, decoded.time, [repr(value) for value in decoded.values]]
        expected.append([kind, content.hex() if isinstance(content, bytes) else content])
    start = fmt.HEADER_SIZE + sum(map(len, frames[:9]))
    skipped = [[start, start + len(damaged)]]
    (FOLDER / "v1.json").write_text(
        json.dumps({"frames": expected, "skipped": skipped, "tail": 30}, indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
