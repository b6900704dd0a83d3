"""Where a sample's files lie, and what it may be called."""

from dataclasses import replace
from pathlib import Path

import pytest

from terrasweep.data.find.listing import WHOLE, Listing, spelled, without_outer_blanks
from terrasweep.data.find.readings import MASK
from terrasweep.results.errors import DataError

LISTING = Listing(
    names={WHOLE: ["north/a", "b"]},
    image_roots={WHOLE: {"S2": "/set/images"}},
    suffixes={"S2": "_S2.tif", MASK: ""},
    mask_roots={WHOLE: "/set"},
    labels={},
    scattered={MASK: {WHOLE: {"north/a": "/set/north/masks/a.png", "b": "/other/b.png"}}},
)


def test_files_lie_below_their_root_or_where_they_are_said_to_lie():
    assert LISTING.file(WHOLE, "north/a", "S2") == Path("/set/images/north/a_S2.tif")
    assert LISTING.file(WHOLE, "b", MASK) == Path("/other/b.png")
    assert Listing.from_json(LISTING.to_json()) == LISTING


def test_a_listing_of_a_version_before_is_read():
    assert Listing.from_json(LISTING.to_json().replace('"image_roots"', '"roots"')) == LISTING


def test_notes_come_behind_what_was_said_before():
    told = LISTING.with_notes("layout", ["first"]).with_notes("class-order", ["second"])
    assert [(note["rule"], note["level"], note["line"]) for note in told.remarks] == [
        ("layout", "note", "first"),
        ("class-order", "note", "second"),
    ]
    assert LISTING.with_notes("layout", []) == LISTING


def test_samples_are_spelled_by_name_and_by_file():
    assert dict(spelled(LISTING, Path("/set"))) == {
        (WHOLE, "north/a"): ["north/a", "images/north/a_S2.tif", "north/masks/a.png"],
        (WHOLE, "b"): ["b", "images/b_S2.tif", "/other/b.png"],
    }


def test_blanks_at_the_ends_are_taken_off_and_no_sample_is_lost():
    assert without_outer_blanks(LISTING) is LISTING
    named = replace(LISTING, names={WHOLE: ["b", " c"]}, scattered={}, labels={WHOLE: {"b": [0], " c": [1]}})
    stripped = without_outer_blanks(named)
    assert stripped.names == {WHOLE: ["b", "c"]}
    assert stripped.labels == {WHOLE: {"b": [0], "c": [1]}}
    assert stripped.file(WHOLE, "c", "S2") == Path("/set/images/ c_S2.tif")
    with pytest.raises(DataError, match="b and b have the same name"):
        without_outer_blanks(replace(named, names={WHOLE: ["b", "b "]}, labels={}))
