"""Points of one metric as they come: of each layout that has it a piece, and all of them in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .encoding import Points
from .streams import Extremes, extremes

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Piece(NamedTuple):
    """Points of one stream from one layout, with the offsets of their frames; what they come to stands in
    column ``column`` of ``most``."""

    offset: NDArray[np.int64]
    points: Points
    most: Extremes
    column: int


def whole(parts: list[Piece]) -> Piece:
    """Points of one stream from all of its layouts, in the order of the journal."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.concatenate([part.offset for part in parts])
    order = np.argsort(offsets, kind="stable")
    columns = zip(*(part.points for part in parts), strict=True)
    points = Points(*(np.concatenate(column)[order] for column in columns))
    return Piece(offsets[order], points, extremes(points.value[np.newaxis]), 0)
