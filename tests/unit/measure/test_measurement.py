"""A unit is written where there is one to write."""

import pytest

from terrasweep.measure.measurement import UNITLESS, Measurement


@pytest.mark.parametrize(
    ("unit", "symbol", "label"), [("MiB", "MiB", "peak (MiB)"), *((u, "", "peak") for u in UNITLESS)]
)
def test_a_label_carries_the_unit_that_stands_behind_a_number(unit, symbol, label):
    measurement = Measurement(name="peak", label="peak", unit=unit, definition="A peak.")
    assert (measurement.unit_symbol, measurement.label_with_unit) == (symbol, label)


def test_a_measurement_is_a_number_of_the_run_that_no_budget_holds_unless_it_says_so():
    measurement = Measurement(name="x", label="x", unit="1", definition="X.")
    assert (measurement.number, measurement.of_build, measurement.within_budget) == (float, False, False)
