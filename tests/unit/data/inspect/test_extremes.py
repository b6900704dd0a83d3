"""Extremes counted tile by tile are those of all numbers at once, whatever the order."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.inspect.extremes import ExtremesCount

FEW = st.sampled_from([-9999.0, -1.0, 0.0, 0.5, 1.0, 2.0, 255.0])
TILES = st.lists(st.lists(FEW | st.floats(-1e3, 1e3), max_size=12), min_size=1, max_size=8)


def counted(tiles):
    count = ExtremesCount()
    for number, tile in enumerate(tiles):
        count.add(f"t{number}", np.array(tile, float))
    return count.extremes()


@given(TILES)
def test_extremes_are_numpy_s_over_all_values(tiles):
    values = np.array([value for tile in tiles for value in tile])
    seen = counted(tiles)
    if not values.size:
        assert seen is None
        return
    distinct, pixels = np.unique(values, return_counts=True)
    for end, place, beside in ((seen.lowest, 0, 1), (seen.highest, -1, -2)):
        assert (end.value, end.pixels) == (distinct[place], pixels[place])
        assert end.beside == (distinct[beside] if len(distinct) > 1 else None)
        assert end.first == f"t{next(n for n, tile in enumerate(tiles) if end.value in tile)}"
    others = values[(values != distinct[0]) & (values != distinct[-1])]
    assert seen.others == len(others)
    if len(others):
        assert seen.mean == pytest.approx(others.mean(), rel=1e-6, abs=1e-6)
        assert seen.std == pytest.approx(others.std(), rel=1e-4, abs=1e-3)


@given(TILES, st.data())
def test_parts_counted_by_themselves_come_to_the_same(tiles, data):
    cut = data.draw(st.integers(0, len(tiles)))
    parts = [ExtremesCount(), ExtremesCount()]
    for number, tile in enumerate(tiles):
        parts[number >= cut].add(f"t{number}", np.array(tile, float))
    parts[0].merge(parts[1])
    merged, whole = parts[0].extremes(), counted(tiles)
    assert (merged is None) is (whole is None)
    if whole is not None:
        assert (merged.lowest, merged.highest, merged.others) == (whole.lowest, whole.highest, whole.others)
        assert merged.mean == pytest.approx(whole.mean, rel=1e-6, abs=1e-6)
        assert merged.std == pytest.approx(whole.std, rel=1e-4, abs=1e-3)


def test_the_ends_of_floats_are_counted_without_a_warning_and_kept_as_numbers():
    ends = float(np.finfo(np.float64).min), float(np.finfo(np.float64).max)
    seen = counted([[ends[0], 1.0, 2.0], [ends[1], 3.0], [-4.0]])
    assert (seen.lowest.value, seen.highest.value) == ends
    assert (seen.lowest.beside, seen.highest.beside) == (-4.0, 3.0)
    assert json.loads(json.dumps(asdict(seen), allow_nan=False)) == asdict(seen)
    outdone = counted([[1e200, 1.0], [2e200]])
    assert outdone.std == np.inf
