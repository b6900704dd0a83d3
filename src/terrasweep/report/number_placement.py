"""Where the trials' numbers stand beside their points, on the page and in print."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]
Side = tuple[int, int]
"""Right and up: each -1, 0 or 1."""
SIDES: tuple[Side, ...] = ((0, 1), (1, 1), (1, 0), (-1, 1), (-1, 0), (0, -1), (1, -1), (-1, -1))
"""The first choice first."""


def label_box(point: Point, side: Side, size: Point, gap: float) -> tuple[float, float, float, float]:
    """The rectangle (left, bottom, right, top) of a label at a side of its point.

    Args:
        point: Position of the point; y grows upwards.
        side: Where the label stands.
        size: Width and height of the label.
        gap: Distance between the point's centre and the label.
    """
    x, y = (point[i] + side[i] * (size[i] / 2 + gap) for i in (0, 1))
    return x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2


def choose_sides(
    points: Sequence[Point], sizes: Sequence[Point], gaps: Sequence[float], obstacles: Sequence[Point], frame: Point
) -> list[Side]:
    """A side for each point's label such that it hides few points and few labels before it.

    Args:
        points: The labelled points, within ``(0, 0)`` and ``frame``.
        sizes: Width and height of each label.
        gaps: Distance between each point's centre and its label.
        obstacles: Further points that should stay visible.
        frame: Width and height of the plot.

    Returns:
        A side per point.
    """
    taken: list[tuple[float, float, float, float]] = []
    chosen: list[Side] = []
    for point, size, gap in zip(points, sizes, gaps, strict=True):

        def crowding(side: Side, point: Point = point, size: Point = size, gap: float = gap) -> int:
            left, bottom, right, top = label_box(point, side, size, gap)
            hidden = sum(left - 1 < x < right + 1 and bottom - 1 < y < top + 1 for x, y in (*points, *obstacles))
            overlaps = sum(left < x1 and x0 < right and bottom < y1 and y0 < top for x0, y0, x1, y1 in taken)
            outside = left < 0 or bottom < 0 or right > frame[0] or top > frame[1]
            return hidden + 3 * overlaps + 2 * outside

        side = min(SIDES, key=crowding)
        chosen.append(side)
        taken.append(label_box(point, side, size, gap))
    return chosen
