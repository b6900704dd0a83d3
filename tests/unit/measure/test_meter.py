"""Every meter is left again, whatever fails, and of two phases the larger number counts."""

import pytest

from terrasweep.measure.meter import PassiveMeter, metered, readings


class Told(PassiveMeter):
    """Says when it is entered and left, and reads what it is told to."""

    def __init__(self, name, order, *, reading=None, fails=False):
        self.name, self.order, self.fails, self._reading = name, order, fails, reading or {}

    def __enter__(self):
        if self.fails:
            raise OSError("no such counter")
        self.order.append(f"+{self.name}")
        return self

    def __exit__(self, kind, error, traceback):
        self.order.append(f"-{self.name} {kind.__name__ if kind else ''}".rstrip())

    def reading(self):
        return self._reading


def test_meters_are_left_in_the_opposite_order_and_each_sees_the_error():
    order = []
    meters = [Told(name, order) for name in "abc"]
    with metered(meters):
        order.append("work")
    assert order == ["+a", "+b", "+c", "work", "-c", "-b", "-a"]
    order.clear()
    with pytest.raises(ZeroDivisionError), metered(meters[:2]):
        raise ZeroDivisionError
    assert order == ["+a", "+b", "-b ZeroDivisionError", "-a ZeroDivisionError"]


def test_where_one_can_not_be_entered_those_before_it_are_left():
    order = []
    with pytest.raises(OSError, match="no such counter"), metered([Told("a", order), Told("b", order, fails=True)]):
        order.append("work")
    assert order == ["+a", "-a OSError"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], {}),
        ([{"a": 1.0}, {"b": None}], {"a": 1.0, "b": None}),
        ([{"a": 1.0}, {"a": 3.0}, {"a": 2.0}], {"a": 3.0}),
        ([{"a": None}, {"a": 2.0}], {"a": 2.0}),
        ([{"a": 2.0}, {"a": None}], {"a": 2.0}),
        ([{"a": 0.0}, {"a": None}], {"a": 0.0}),
        ([{"a": -1.0}, {"a": 0.0}], {"a": 0.0}),
    ],
)
def test_of_what_two_phases_measured_the_larger_number_counts(taken, expected):
    assert readings([Told("m", [], reading=reading) for reading in taken]) == expected


def test_a_passive_meter_lets_an_error_through_and_minds_no_step():
    meter = PassiveMeter()
    with pytest.raises(ZeroDivisionError), meter as entered:
        assert entered is meter
        meter.on_step_begin(0)
        meter.on_step_end(0, 4)
        raise ZeroDivisionError
