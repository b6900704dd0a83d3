"""What a place lacks of its dates is named; how many files it may have depends on the kind."""

import pytest

from terrasweep.data.find.dates import FrameName
from terrasweep.data.find.frame_counts import check_frames
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from tests.composing import compose_trial


def config(*overrides):
    return compose_trial("data=segmentation_folder", "data.root=x", "data.frames=3", *overrides)


def place(*days):
    return [(FrameName(place="p", order=f"2024-01-{day:02}", taken=f"2024-01-{day:02}"), f"p{day}.tif") for day in days]


def test_as_many_files_as_dates_or_one_that_holds_them_all():
    check_frames({"a": place(1, 2, 3), "b": place(4, 5, 6)}, IMAGE, config())
    check_frames({"a": place(1), "b": place(2)}, IMAGE, config())
    check_frames({"a": place(1), "b": place(2)}, MASK, config())
    with pytest.raises(DataError, match=r"2 of 2 samples have files of another number of dates \(a: 2024-01-01, b: "):
        check_frames({"a": place(1), "b": place(2)}, IMAGE, config("data.frame_order=files"))


def test_the_date_that_lacks_is_named_where_all_others_have_the_same():
    alike = {name: place(1, 2, 3) for name in "abc"}
    with pytest.raises(DataError, match=r"1 of 4 samples .* \(d: 2024-01-01 2024-01-03 without 2024-01-02\)"):
        check_frames(alike | {"d": place(1, 3)}, IMAGE, config())
    with pytest.raises(DataError, match=r"\(d: 2024-01-01 2024-01-03\)"):
        check_frames(alike | {"c": place(7, 8, 9), "d": place(1, 3)}, IMAGE, config())


def test_a_date_twice_and_several_masks_are_refused():
    with pytest.raises(DataError, match=r"a has several files of one date \(p1\.tif, p1\.tif, p2\.tif\)"):
        check_frames({"a": place(1, 1, 2)}, IMAGE, config())
    with pytest.raises(DataError, match=r"1 sample of several dates have several masks \(first a: p1\.tif, p2\.tif\)"):
        check_frames({"a": place(1, 2)}, MASK, config())
