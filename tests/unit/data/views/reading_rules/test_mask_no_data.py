"""A class that headers mark as no data is kept where the configuration says so."""

import numpy as np

from terrasweep.data.find.sample_list import MASK
from tests.unit.data.rasters import classes
from tests.unit.data.views.reading_rules.files import pixels_of, remarks_of, understood, write_set


def test_a_marked_class_is_kept_as_it_is_stored(tmp_path):
    root = write_set(tmp_path / "tiles", masks=lambda seed: {"nodata": 0} if seed % 2 else {})
    listing = understood(root, "data.labels.keep_no_data=true")
    for name in ("0", "1"):
        seen = pixels_of(listing, "train", name, MASK)
        assert not seen.mask.any()
        assert np.array_equal(seen, classes(int(name)))
    assert remarks_of(listing) == [
        ("note", "data.labels.keep_no_data=true: 3 masks with 0 marked as no data, which is read as a label")
    ]


def test_without_the_key_marks_count(tmp_path):
    listing = understood(write_set(tmp_path / "tiles", masks=lambda _: {"nodata": 0}))
    seen = pixels_of(listing, "train", "1", MASK)
    assert np.array_equal(seen.mask, classes(1) == 0)
    assert listing.remarks == []


def test_a_key_that_changes_nothing_is_said(tmp_path):
    listing = understood(write_set(tmp_path / "tiles"), "data.labels.keep_no_data=true")
    assert [level for level, _ in remarks_of(listing)] == ["note"]
    assert "changes nothing" in listing.remarks[0]["line"]
