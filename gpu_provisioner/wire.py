"""The bytes between a Link and an agent: records, and the frames that carry them.

A *record* is one message of one channel: ``channel u8 | parts u16 | lengths u32… | parts``. The agent's spool
and the home journal are both simply records one after the other, so a position in either is a byte offset
since the agent began; resume point, acknowledgement and gap check are that one number.

A *frame* is what crosses the carrier: ``tag u8 | n u32 | body``. All integers are big-endian. Jupyter
messages travel as raw wire parts (header, parent, metadata, content, buffers…), never decoded on the way.

Stdlib only and Python 3.9: the agent shares this module.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

IOPUB, SHELL, CONTROL, STDIN, EVENT, FILE = range(6)
CHANNEL_NAMES = ("iopub", "shell", "control", "stdin", "event", "file")
CHANNELS_UP = (SHELL, CONTROL, STDIN)
"""Channels of the kernel itself on which something may go up."""

HELLO, MESSAGE, ACK, PING, GAUGE = b"H", b"M", b"A", b"P", b"G"
"""Tags of frames that go up, to the agent. PING also answers a ping that came down (unused today).
GAUGE asks for a sample of the machine's load; the answer has the same tag (JSON, see
:mod:`gpu_provisioner.agent.gauge`). Neither is spooled, and neither counts as need of the kernel."""

WELCOME, DATA, RECEIPT, PONG, REFUSAL, TROUBLE = b"W", b"D", b"U", b"P", b"X", b"T"
"""Tags of frames that come down, from the agent. TROUBLE (JSON: text) is what the spool itself cannot say:
that it cannot be written."""

MAX_FRAME = 1 << 32
_TOO_MUCH = 1 << 63
"""No file is so long (``off_t``)."""
FILE_PATH = re.compile(
    r"runs/[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.journal|blobs/[0-9a-f]{64}"
)
"""The only files that may travel on channel 5; anything else is refused on both sides."""

_RECORD_HEAD = struct.Struct("!BH")
_FRAME_HEAD = struct.Struct("!cI")
_MESSAGE_HEAD = struct.Struct("!QI")
_CONTENT_PARTS = 4
"""Header, parent, metadata and content come before a Jupyter message's buffers."""
_U64 = struct.Struct("!Q")

Buffer = Union[bytes, bytearray, memoryview]

LONG = 1 << 16
"""Bytes of a part or a frame from which on it is not copied without need."""

Message = Tuple[int, List[Buffer]]
"""``(channel, parts)``."""

Record = Tuple[int, int, List[bytes]]
"""``(end_offset, channel, parts)``; ``end_offset`` is the position just behind the record."""


class WireError(Exception):
    """The other side sent bytes that are not this protocol."""


def encode_record(channel: int, parts: Sequence[Buffer]) -> bytes:
    """One record as bytes."""
    return b"".join((*_record_head(channel, parts), *parts))


def record_pieces(channel: int, parts: Sequence[Buffer]) -> List[Buffer]:
    """One record as pieces for ``writev``: long parts as they are, what lies between them joined."""
    pieces: List[Buffer] = []
    short: List[Buffer] = [*_record_head(channel, parts)]
    for part in parts:
        if len(part) < LONG:
            short.append(part)
        else:
            pieces += (b"".join(short), part) if short else (part,)
            short = []
    return [*pieces, b"".join(short)] if short else pieces


def _record_head(channel: int, parts: Sequence[Buffer]) -> Tuple[bytes, bytes]:
    return _RECORD_HEAD.pack(channel, len(parts)), struct.pack(f"!{len(parts)}I", *map(len, parts))


def encode_event(kind: str, **more: Any) -> bytes:
    """One record of channel 4."""
    return encode_record(EVENT, [to_json({"type": kind, **more})])


def encode_file(path: str, offset: int, data: bytes, **more: Any) -> bytes:
    """One record of channel 5: ``data`` belongs at ``offset`` (bytes) of ``path`` under the data folder."""
    return encode_record(FILE, [to_json({"path": path, "offset": offset, **more}), data])


def encode_frame(tag: bytes, body: bytes = b"") -> bytes:
    return _FRAME_HEAD.pack(tag, len(body)) + body


def frame_head(tag: bytes, length: int) -> bytes:
    """The five bytes before a body of ``length`` bytes that is sent by other means (``sendfile``)."""
    return _FRAME_HEAD.pack(tag, length)


def encode_json_frame(tag: bytes, content: Mapping[str, Any]) -> bytes:
    return encode_frame(tag, to_json(content))


def message_pieces(sequence: int, epoch: int, record: Sequence[Buffer]) -> List[Buffer]:
    """The frame of an upward message, as pieces. ``epoch`` is the kernel the sender means: the agent drops
    the message for any other.

    Args:
        record: as :func:`record_pieces` gives it.
    """
    head = frame_head(MESSAGE, _MESSAGE_HEAD.size + sum(map(len, record)))
    return [b"".join((head, _MESSAGE_HEAD.pack(sequence, epoch), record[0])), *record[1:]]


def decode_message(body: Buffer) -> Tuple[int, int, int, List[Buffer]]:
    """``(sequence, epoch, channel, parts)`` of an upward message; long parts behind the fourth (the buffers)
    as memoryviews of ``body``.
    """
    view = memoryview(body)
    try:
        sequence, epoch = _MESSAGE_HEAD.unpack_from(view)
        at = _MESSAGE_HEAD.size
        channel, count = _RECORD_HEAD.unpack_from(view, at)
        at += _RECORD_HEAD.size
        lengths = struct.unpack_from(f"!{count}I", view, at)
        at += 4 * count
    except struct.error as error:
        raise WireError(f"an upward message of {len(body)} bytes") from error
    if at + sum(lengths) != len(body):
        raise WireError(f"an upward message of {len(body)} bytes that is not one record")
    parts: List[Buffer] = []
    for number, length in enumerate(lengths):
        part = view[at : at + length]
        parts.append(part if number >= _CONTENT_PARTS and length >= LONG else bytes(part))
        at += length
    return sequence, epoch, channel, parts


def encode_offset(tag: bytes, offset: int) -> bytes:
    return encode_frame(tag, _U64.pack(offset))


def decode_offset(body: Buffer) -> int:
    try:
        return int(_U64.unpack(body)[0])
    except struct.error as error:
        raise WireError(f"an offset of {len(body)} bytes") from error


def to_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def from_json(data: Buffer) -> Dict[str, Any]:
    """The object in ``data``; :class:`WireError` when there is none."""
    try:
        content = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {bytes(data[:80])!r}") from error
    if not isinstance(content, dict):
        raise WireError(f"not a JSON object: {bytes(data[:80])!r}")
    return content


def whole(content: Mapping[str, Any], key: str) -> int:
    """The offset, size or count ``key`` of an object; :class:`WireError` when it is missing or none."""
    value = content.get(key)
    if type(value) is not int or not 0 <= value < _TOO_MUCH:
        raise WireError(f"`{key}` is {str(value)[:80]!r} and no whole number")
    return value


def event_of(parts: Sequence[Buffer]) -> Dict[str, Any]:
    """The object in a record of channel 4 that came down; :class:`WireError` when it cannot be acted upon."""
    if len(parts) != 1:
        raise WireError(f"an event with {len(parts)} parts")
    event = from_json(parts[0])
    if event.get("type") in ("kernel-started", "kernel-died"):
        whole(event, "epoch")
    return event


class FrameReader:
    """Cuts a byte stream into frames. Feed bytes, get ``(tag, body)``.

    Args:
        flowing: a tag whose bodies are handed on as they come, in pieces: for what is a stream itself.
    """

    def __init__(self, flowing: bytes = b"") -> None:
        self._buffer = bytearray()
        self._flowing = flowing
        self._left = 0
        """Bytes that are still to come of a body that flows."""

    def feed(self, data: Buffer) -> List[Tuple[bytes, Buffer]]:
        """The frames that are whole with ``data``, and of flowing ones what has come: parts of ``data``."""
        frames: List[Tuple[bytes, Buffer]] = []
        rest = memoryview(data)
        while rest:
            if self._left:
                piece, rest = rest[: self._left], rest[self._left :]
                self._left -= len(piece)
                frames.append((self._flowing, piece))
            else:
                rest = rest[self._take(rest, frames) :]
        return frames

    def _take(self, data: memoryview, frames: List[Tuple[bytes, Buffer]]) -> int:
        """Take frames that are whole, up to one that flows: how many bytes of ``data`` that were."""
        buffer, before, size = self._buffer, len(self._buffer), _FRAME_HEAD.size
        buffer += data
        start = 0
        with memoryview(buffer) as view:
            while len(buffer) - start >= size and not self._left:
                tag, length = _FRAME_HEAD.unpack_from(buffer, start)
                if tag == self._flowing:
                    self._left, length = length, 0
                elif len(buffer) - start - size < length:
                    break
                else:
                    frames.append((tag, bytes(view[start + size : start + size + length])))
                start += size + length
        if self._left:
            buffer.clear()
            return start - before
        del buffer[:start]
        return len(data)

    def take_begun(self) -> Optional[Tuple[bytes, int, bytes]]:
        """The tag, the length and the first bytes of a long frame that is not whole yet; who takes it has to
        receive the rest. ``None`` when there is none."""
        if len(self._buffer) < _FRAME_HEAD.size:
            return None
        tag, length = _FRAME_HEAD.unpack_from(self._buffer)
        if length < LONG:
            return None
        first = bytes(memoryview(self._buffer)[_FRAME_HEAD.size :])
        self._buffer = bytearray()
        return tag, length, first


class RecordReader:
    """Cuts a stream of records, delivered in pieces of any size, into records.

    Args:
        offset: position of the first byte that will be fed.
    """

    def __init__(self, offset: int = 0) -> None:
        self._buffer = bytearray()
        self._wanted = _RECORD_HEAD.size
        self.position = offset
        """Offset just behind the last complete record."""

    def feed(self, data: Buffer) -> List[Record]:
        buffer = self._buffer
        buffer += data
        records: List[Record] = []
        if len(buffer) < self._wanted:
            return records
        start = 0
        with memoryview(buffer) as view:
            while True:
                head = self._head(start)
                if head is None:
                    break
                channel, lengths = head
                at = start + _RECORD_HEAD.size + 4 * len(lengths)
                parts = []
                for length in lengths:
                    parts.append(bytes(view[at : at + length]))
                    at += length
                records.append((self.position + at, channel, parts))
                start = at
        del buffer[:start]
        self.position += start
        return records

    def _head(self, start: int) -> Tuple[int, Tuple[int, ...]] | None:
        """Channel and lengths of the record at ``start``, or None when it is not complete yet.

        What is missing is remembered, so that a 100 MB record in small pieces is not looked at each time.
        """
        available = len(self._buffer) - start
        self._wanted = _RECORD_HEAD.size
        if available < self._wanted:
            return None
        channel, count = _RECORD_HEAD.unpack_from(self._buffer, start)
        self._wanted += 4 * count
        if available < self._wanted:
            return None
        lengths = struct.unpack_from(f"!{count}I", self._buffer, start + _RECORD_HEAD.size)
        self._wanted += sum(lengths)
        return (channel, lengths) if available >= self._wanted else None
