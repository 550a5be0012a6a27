"""Images by step: files, arrays, tensors, PIL images, matplotlib figures; imports none of these libraries."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from kernel_magics.tracking.media import LIMIT, Encoded, Media, Unusable
from kernel_magics.tracking.values import describe

MOST_PIXELS = 64 * 1024 * 1024

_FOREIGN = {("matplotlib.figure", "FigureBase"): "figure", ("PIL.Image", "Image"): "pil"}
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels and the PNG colour type of so many (ISO/IEC 15948, table 11.1)."""


class Image(Media):
    """An image.

    Args:
        data: a path; the bytes of a PNG, JPEG, GIF, WebP or SVG file; a PIL image; a matplotlib figure; or an
            array or tensor: height × width, height × width × (1, 2, 3 or 4), or channels first. Integers are
            0 to 255, floats 0.0 to 1.0, bools black and white; beyond that values are clipped, and
            ``clipped`` of the record says from what range.
        caption: a text beneath it.
    """

    def __init__(self, data: Any, caption: Optional[str] = None) -> None:
        self._data = data
        self._caption = caption

    def encode(self) -> Encoded:
        about: Dict[str, Any] = {} if self._caption is None else {"caption": str(self._caption)}
        data = self._data
        if isinstance(data, (str, os.PathLike)):
            data = _file(Path(data).expanduser())
        encoded = bytes(data) if isinstance(data, (bytes, bytearray)) else _encoded(data, about)
        mime = mime_of(encoded)
        if mime is None:
            raise Unusable("an Image whose bytes are no PNG, JPEG, GIF, WebP or SVG")
        if mime == "image/png" and len(encoded) >= 24:
            about["width"], about["height"] = struct.unpack_from(">II", encoded, 16)
        return Encoded("image", mime, data=encoded, about=about)


def foreign(value: Any) -> Optional[str]:
    """``"figure"`` for a matplotlib figure, ``"pil"`` for a PIL image, by the names of its classes."""
    for base in type(value).__mro__:
        found = _FOREIGN.get((base.__module__, base.__name__))
        if found:
            return found
    return None


def mime_of(data: bytes) -> Optional[str]:
    """The type of an image file by its first bytes; ``None`` for any other file."""
    if data.startswith(_PNG):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    return (
        "image/svg+xml"
        if head.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg")) and b"<svg" in head
        else None
    )


def png(width: int, height: int, channels: int, pixels: bytes) -> bytes:
    """A PNG file of 8 bits a sample (ISO/IEC 15948): no filter, one ``IDAT``.

    Args:
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
        pixels: ``height * width * channels`` bytes, row by row.
    """
    row = width * channels
    lines = b"".join(b"\0" + pixels[at : at + row] for at in range(0, row * height, row))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _file(path: Path) -> bytes:
    size = path.stat().st_size
    if size > LIMIT:
        raise Unusable(f"an image file of {size:,} bytes (at most {LIMIT:,}; log_artifact keeps any)")
    return path.read_bytes()


def _encoded(value: Any, about: Dict[str, Any]) -> bytes:
    kind = foreign(value)
    buffer = io.BytesIO()
    try:
        if kind == "figure":
            value.savefig(buffer, format="png")
            return buffer.getvalue()
        if kind == "pil":
            (value if value.mode in _PNG_MODES else value.convert("RGB")).save(buffer, format="PNG")
            return buffer.getvalue()
        if hasattr(value, "shape"):
            return _of_array(value, about)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"an image that cannot be drawn ({type(error).__name__}: {error})") from error
    raise Unusable(f"an Image made of {describe(value)}")


def _of_array(array: Any, about: Dict[str, Any]) -> bytes:
    if hasattr(array, "detach"):  # a tensor; bfloat16 has no NumPy type
        array = array.detach().cpu()
        array = (array.float() if array.is_floating_point() else array).numpy()
    shape = tuple(int(length) for length in array.shape)
    if len(shape) == 3 and shape[2] not in _COLOUR_TYPES and shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
        shape = (*shape[1:], shape[0])
    channels = 1 if len(shape) == 2 else shape[2] if len(shape) == 3 else 0
    if channels not in _COLOUR_TYPES or 0 in shape or shape[0] * shape[1] > MOST_PIXELS:
        raise Unusable(f"an Image made of {describe(array)}")
    pixels, clipped = _bytes_of(array)
    if clipped is not None:
        about["clipped"] = list(clipped)
    return png(shape[1], shape[0], channels, pixels)


def _bytes_of(array: Any) -> Tuple[bytes, Optional[Tuple[float, float]]]:
    """One byte a sample, and the values' range where it was beyond what an image has."""
    kind = array.dtype.kind
    if kind == "b":
        return (array.astype("uint8") * 255).tobytes(), None
    if kind not in "uif":
        raise Unusable(f"an Image made of an array of {array.dtype}")
    if kind == "f":
        array = array.astype("float64")
        array[array != array] = 0.0  # NaN is black
    top = 1.0 if kind == "f" else 255
    low, high = float(array.min()), float(array.max())
    clipped = None
    if low < 0 or high > top:
        clipped = (low, high)
        array = array.clip(0, top)
    if kind == "f":
        array = (array * 255.0).round()
    return array.astype("uint8").tobytes(), clipped
