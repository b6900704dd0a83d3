"""What fits follows from peaks and limits, and the largest batch from lines through them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results.memory_plan import Fit, MemoryPlan, PlannedConfiguration, PlannedPeak, largest_batch


def peak(expected, spread=0.0, gradients=0.0):
    low, high = expected - spread, expected + spread
    return PlannedPeak(predicted=expected, expected=expected, low=low, high=high, gradients=gradients)


def row(batch, expected, parts=1, gradients=0.0, **values):
    found = None if expected is None else peak(expected, gradients=gradients)
    values = {"train.batch_size": batch, **values}
    return PlannedConfiguration(searched=values, batch_size=batch, parts=parts, peak=found)


def plan(*rows, gib=1.0):
    return MemoryPlan(name="s", limits={"card": gib}, rows=list(rows))


@pytest.mark.parametrize(
    ("expected", "spread", "verdict"),
    [
        (1000, 20, Fit.YES),
        (1024, 0, Fit.YES),
        (1000, 30, Fit.PROBABLY),
        (1030, 30, Fit.HARDLY),
        (1030, 6, Fit.HARDLY),
        (1030, 5, Fit.NO),
    ],
)
def test_a_verdict_is_of_what_is_expected_and_says_where_the_interval_lies(expected, spread, verdict):
    assert peak(expected, spread).fit(1.0) is verdict
    assert verdict.fits is (expected <= 1024)


@pytest.mark.parametrize(
    ("peaks", "room", "parts", "largest"),
    [
        ({4: 100, 8: 180}, 100, 1, 4),
        ({4: 100, 8: 180}, 179, 1, 7),
        ({4: 100, 8: 180}, 40, 1, 1),
        ({4: 100, 8: 180}, 10, 1, 0),
        ({4: 100, 8: 180}, 1000, 1, 49),
        ({4: 100, 8: 180}, 1000, 4, 48),
        ({4: 100, 8: 180, 16: 580}, 380, 1, 12),
        ({4: 100, 8: 180, 16: 580}, 140, 1, 6),
        ({4: 100}, 1000, 1, None),
        ({4: 100, 8: 100}, 1000, 1, None),
    ],
)
def test_the_largest_batch_lies_on_the_lines(peaks, room, parts, largest):
    assert largest_batch(peaks, room, parts) == largest


@given(st.integers(1, 64), st.integers(1, 64), st.floats(0, 1e5), st.floats(0.1, 1e3), st.floats(0, 1e6))
def test_on_a_line_the_largest_batch_is_exact(few, more, fixed, each, room):
    found = largest_batch({b: fixed + each * b for b in (few, few + more)}, room)
    assert found == pytest.approx(max(0, (room - fixed) / each), abs=1 + 1e-6 * (fixed + room) / each)
    assert found == 0 or fixed + each * found <= room * (1 + 1e-9) + 1e-6 * fixed


def test_rows_that_differ_in_the_batch_are_one_group_and_the_batch_is_the_last_key():
    rows = [row(8, 180, rank=2), row(4, 100, rank=2), row(4, 200, rank=16), row(8, None, rank=16)]
    found = plan(*rows)
    assert found.keys == ["rank", "train.batch_size"]
    assert [[r.batch_size for r in group] for group in found.groups.values()] == [[4, 8], [4, 8]]
    assert found.largest_batch(rows[0], "card") == 50
    assert found.largest_batch(rows[2], "card") is None, "of one batch nothing is known"


def test_a_batch_that_fits_stays_and_another_is_split_into_as_few_parts_as_fit():
    small, large = row(4, 100, gradients=24), row(64, 1300, gradients=24)
    found = plan(small, large)
    assert found.parts_that_fit(small, "card") == 1
    # 20 MiB a sample and 20 more: 50 samples fit; beside 24 MiB of gradients 49, so that 64 take two parts.
    assert found.parts_that_fit(large, "card") == 2
    assert plan(small, large, gib=0.1).parts_that_fit(large, "card") == 32
    assert plan(small, large, gib=0.01).parts_that_fit(large, "card") is None
    in_parts = [row(8, 100, parts=4), row(64, 1500, parts=4)]
    assert plan(*in_parts).parts_that_fit(in_parts[1], "card") == 6
