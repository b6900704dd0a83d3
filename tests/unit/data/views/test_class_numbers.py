"""Tables of values send each stored value to its class, and all others where they belong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.data import LabelsConfig
from terrasweep.data.views.class_numbers import (
    lookup_of,
    merge_classes,
    merged_numbers,
    number_classes,
    threshold_lookup,
    type_for,
)

TABLES = st.dictionaries(st.integers(0, 255), st.integers(-1, 300), min_size=1, max_size=20)


def through(points, values):
    """What GDAL makes of values: straight lines between the points, level beyond them."""
    stored, targets = zip(*points, strict=True)
    assert sorted(set(stored)) == list(stored)
    return np.interp(values, stored, targets)


@given(TABLES, st.one_of(st.none(), st.just(-1)))
def test_each_value_of_a_byte_goes_where_the_table_says(table, others):
    values = np.arange(256)
    expected = [table.get(value, value if others is None else others) for value in range(256)]
    assert through(lookup_of(table, others, "uint8"), values).tolist() == expected


@pytest.mark.parametrize("dtype", ["int16", "uint32", "int64", "float32"])
def test_others_are_others_up_to_the_ends_of_a_type(dtype):
    ends = np.array([0, 30000, 1, 2, 4])
    assert through(lookup_of({2: 7}, -1, dtype), ends).tolist() == [-1, -1, -1, 7, -1]


@given(st.floats(-10, 300), st.lists(st.integers(0, 255), min_size=1))
def test_a_threshold_is_exact_for_whole_numbers(threshold, values):
    found = through(threshold_lookup(threshold, "uint8"), values)
    assert found.tolist() == [float(value >= threshold) for value in values]


@given(st.floats(-1, 1, width=32), st.lists(st.floats(-1, 1, width=32), min_size=1))
def test_a_threshold_is_exact_for_fractions(threshold, values):
    found = through(threshold_lookup(threshold, "float32"), [*values, threshold])
    assert found.tolist() == [*(float(value >= threshold) for value in values), 1.0]


def test_names_are_counted_and_numbers_keep_themselves():
    assert number_classes(["road", "ignore", "tree"], -1).by_key == {"road": 0, "tree": 1, "ignore": -1}
    assert number_classes(["road", "tree"], -1).names == ["road", "tree"]
    numbered = number_classes(["3", "1", "ignore"], 255)
    assert (numbered.by_key, numbered.names) == ({"3": 3, "1": 1, "ignore": 255}, None)


def test_members_get_the_number_of_their_group():
    merged = merge_classes({"water": [3, "sea"], "ignore": [0], "land": [1]}, -1)
    assert merged.by_key == {"3": 0, "sea": 0, "0": -1, "1": 1}
    assert merged.names == ["water", "land"]


def test_what_a_merge_leaves_out_or_does_not_know_is_told():
    classes = number_classes(["sea", "tree"], -1)
    numbers, remarks = merged_numbers(classes, ["sea", "tree"], LabelsConfig(merge={"water": ["see"]}), -1)
    assert numbers.by_key["tree"] == -1
    assert [remark.line.partition(";")[0] for remark in remarks] == [
        "data.labels.merge: no list has sea, tree, which occur",
        "data.labels.merge: see is no class of the labels",
    ]
    assert merged_numbers(classes, ["sea", "tree"], LabelsConfig(), -1) == (classes, [])


@pytest.mark.parametrize(
    ("numbers", "stored", "expected"),
    [
        ([-1, 5], None, "int16"),
        ([-1, 40000], None, "int32"),
        ([-1, 3], "uint8", "int16"),
        ([-1, 3], "uint16", "int32"),
        ([-1, 3], "uint32", "int64"),
        ([-1, 3], "float32", "float32"),
    ],
)
def test_the_type_holds_all_numbers_and_ignored_pixels(numbers, stored, expected):
    assert type_for(numbers, stored) == expected
