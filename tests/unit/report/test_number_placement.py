"""Numbers beside points hide neither points nor each other."""

from __future__ import annotations

from terrasweep.report.number_placement import choose_sides, label_box


def test_numbers_beside_points_avoid_each_other() -> None:
    points = [(50.0, 50.0), (52.0, 50.0), (99.0, 99.0)]
    sizes, gaps = [(10.0, 8.0)] * 3, [4.0] * 3
    sides = choose_sides(points, sizes, gaps, [(50.0, 60.0)], (100.0, 100.0))
    boxes = [label_box(*place) for place in zip(points, sides, sizes, gaps, strict=True)]
    for i, (left, bottom, right, top) in enumerate(boxes):
        assert left >= 0
        assert bottom >= 0
        assert right <= 100
        assert top <= 100
        for x0, y0, x1, y1 in boxes[:i]:
            assert not (left < x1 and x0 < right and bottom < y1 and y0 < top)
