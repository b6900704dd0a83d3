"""Strips of dates name each date, and count those that are not drawn."""

import numpy as np

from terrasweep.data.inspect.pictures.cards import Dates, Picture, SampleCard, strip

PIXELS = np.zeros((3, 2, 4, 4), np.float32)


def test_dates_are_called_by_their_days_where_all_are_known():
    days = ["2024-01-10", "2024-03-01", "2024-12-31"]
    assert Dates(pixels=PIXELS, taken=days).called == days
    for known in ([], days[:2]):
        assert Dates(pixels=PIXELS, taken=known).called == ["date 1", "date 2", "date 3"]


def test_a_strip_counts_what_it_does_not_draw():
    drawn = [Picture(title="image", note=str(number), source="data:") for number in range(2)]
    shown = strip("3 dates", drawn, Dates(pixels=PIXELS, taken=[]))
    assert [(picture.title, picture.note) for picture in shown.pictures] == [("date 1", "0"), ("date 2", "1")]
    assert shown.more == 1


def test_masks_may_lie_over_dates():
    dates, plain = Dates(pixels=PIXELS, taken=[]), Picture(title="image", source="data:")
    covered = Picture(title="image", source="data:", over="data:")
    assert not SampleCard(split="train", name="a", pictures=[plain]).has_mask_over
    strips = [strip("3 dates", [covered], dates)]
    assert SampleCard(split="train", name="a", pictures=[plain], strips=strips).has_mask_over
