"""What a cell shows, as frames of its run's journal.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import json
import time
from typing import Dict, List, Sequence

from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.tracking import blobs
from kernel_magics.tracking.scribe import Scribe

_FLAT = ("stream", "error", "clear_output")
"""Outputs that are texts: however many brackets they have, nothing in them is nested."""


class OutputFrames:
    """Writes and counts the messages of each cell. Safe to use from any thread."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._counts: Dict[str, int] = {}

    def add(self, cell_key: str, msg_type: str, content: bytes, buffers: Sequence[blobs.Readable]) -> None:
        """See :meth:`kernel_magics.tracking.recorder.Run.record_output`."""
        when = time.time()
        digests = self._stored(buffers)
        with self._scribe.lock:
            count = self._counts[cell_key] = self._counts.get(cell_key, -1) + 1
            head = json.dumps({"cell": cell_key, "n": count, "time": when, "type": msg_type})
            tail = b"," + json.dumps({"buffers": digests}).encode()[1:] if digests else b"}"
            payload = head[:-1].encode() + b',"content":' + bytes(content) + tail
            if msg_type not in _FLAT and fmt.is_too_deep(payload):
                told = f"An output nested deeper than {fmt.DEEPEST} levels is not recorded. (Said once.)"
                self._scribe.tell_once("deep output", told, "record-too-deep")
            elif self._scribe.closed:
                self._scribe.write_late(fmt.Kind.OUTPUT, payload)
            else:
                self._scribe.write_payload(fmt.Kind.OUTPUT, payload)

    def _stored(self, buffers: Sequence[blobs.Readable]) -> List[str]:
        """The digests of these buffers; none when the disk does not take them."""
        folder = paths.blobs_dir(self._scribe.data)
        try:
            return [blobs.put_bytes(folder, buffer) for buffer in buffers]
        except OSError as error:
            self._scribe.tell_once(
                "buffers",
                f"A widget's binary data cannot be stored ({error.strerror}); the output is without it.",
                "buffers-lost",
            )
            return []
