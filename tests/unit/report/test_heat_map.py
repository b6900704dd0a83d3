"""A matrix is drawn where its counts say, and said in words for those who don't see it."""

import math

import numpy as np
import pytest

from terrasweep.report.heat_map import MOST_CLASSES, heat_map
from terrasweep.results.confusion import Confusion


def chance(classes, most=50):
    counts = np.random.default_rng(classes).integers(0, most, size=(classes, classes))
    return Confusion(task="segmentation", classes=[f"class {i}" for i in range(classes)], counts=counts.tolist())


@pytest.mark.parametrize("classes", [2, 9, MOST_CLASSES])
def test_every_count_has_its_square_at_its_row_and_column_and_nothing_overlaps(classes):
    confusion = chance(classes, most=4)
    drawn = heat_map(confusion, list(range(classes)))
    places = {
        (round((square.y - drawn.top) / drawn.side), round((square.x - drawn.left) / drawn.side)): square
        for square in drawn.squares
    }
    assert len(places) == len(drawn.squares)
    assert places.keys() == {(i, j) for i, row in enumerate(confusion.counts) for j, count in enumerate(row) if count}
    for (label, prediction), square in places.items():
        share = confusion.counts[label][prediction] / sum(confusion.counts[label])
        assert square.opacity == pytest.approx(math.sqrt(share), abs=0.01)
        assert square.right == (label == prediction)
        assert f"({confusion.counts[label][prediction]:,} of " in square.title
        assert square.x + drawn.side <= drawn.width
        assert square.y + drawn.side <= drawn.height
    assert drawn.side >= drawn.font, "names of neighbouring rows would overlap"
    assert drawn.left >= 0.55 * drawn.font * max(len(short) for short, *_ in drawn.names), "names are cut off"


def test_classes_that_do_not_occur_have_no_row():
    confusion = Confusion(task="classification", classes=["a", "b", "c"], counts=[[3, 0, 1], [0, 0, 0], [2, 0, 9]])
    drawn = heat_map(confusion, [0, 2])
    assert [whole for _, whole, _ in drawn.names] == ["a", "c"]
    assert [square.title for square in drawn.squares] == [
        "a found: 75.0 % (3 of 4 samples)",
        "a taken for c: 25.0 % (1 of 4 samples)",
        "c taken for a: 18.2 % (2 of 11 samples)",
        "c found: 81.8 % (9 of 11 samples)",
    ]
    assert "Most often c is taken for a, in 18.2 % of its labels." in drawn.text


def test_a_share_reads_as_nothing_or_all_only_where_it_is():
    confusion = Confusion(task="segmentation", classes=["a", "b"], counts=[[99_999, 1], [0, 7]])
    drawn = heat_map(confusion, [0, 1])
    assert [square.text for square in drawn.squares] == [">99", "<1", "100"]


def test_small_squares_have_no_text_and_too_many_are_not_drawn():
    assert all(square.text == "" for square in heat_map(chance(30), list(range(30))).squares)
    assert heat_map(chance(MOST_CLASSES + 1), list(range(MOST_CLASSES + 1))) is None
    assert heat_map(chance(2), []) is None
