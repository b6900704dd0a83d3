"""The front within errors: its relation against the definition written out, and what holds whatever the values."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results import pareto
from terrasweep.results.front_within_errors import Place, Standing, standings

Rows = list[list[float]]
# Few distinct values, so that differences of just a resolution are the rule.
STEP = st.integers(0, 6).map(lambda n: n / 2)
RESOLUTION = st.sampled_from([0.0, 0.5, 1.0, 1.25])


@dataclasses.dataclass
class Problem:
    rows: Rows
    maximize: list[bool]
    resolutions: list[float]
    preference: list[tuple[float, ...]]

    def solved(self) -> list[Standing]:
        return standings(self.rows, self.maximize, self.resolutions, preference=self.preference)

    def gains(self, one: int, other: int) -> list[float]:
        pairs = zip(self.rows[one], self.rows[other], self.maximize, strict=True)
        return [a - b if up else b - a for a, b, up in pairs]

    def beats(self, one: int, other: int) -> bool:
        """By the definition: at least as good within the errors, better beyond them, and more gained than lost."""
        pairs = list(zip(self.gains(one, other), self.resolutions, strict=True))
        if not all(g >= -r for g, r in pairs) or not any(g > r for g, r in pairs):
            return False
        return any(g > 0 for g, r in pairs if not r) or math.fsum(g / r for g, r in pairs if r) > 0

    def alike(self, one: int, other: int) -> bool:
        return all(abs(g) <= r for g, r in zip(self.gains(one, other), self.resolutions, strict=True))


@st.composite
def problems(draw: st.DrawFn, most_rows: int = 9, exact: bool = False) -> Problem:
    m = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(STEP, min_size=m, max_size=m), min_size=1, max_size=most_rows))
    widths = [0.0] * m if exact else draw(st.lists(RESOLUTION, min_size=m, max_size=m))
    order = draw(st.permutations(range(len(rows))))
    simple = draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows)))
    return Problem(
        rows,
        draw(st.lists(st.booleans(), min_size=m, max_size=m)),
        widths,
        [(float(s), float(o)) for s, o in zip(simple, order, strict=True)],
    )


def on_front(found: Sequence[Standing]) -> list[int]:
    return [row for row, standing in enumerate(found) if standing.place is Place.FRONT]


@given(problems())
def test_off_the_front_is_what_some_row_beats_or_a_row_of_the_front_stands_for(problem: Problem) -> None:
    found = problem.solved()
    everyone = range(len(problem.rows))
    for row, standing in enumerate(found):
        winners = [other for other in everyone if problem.beats(other, row)]
        assert (standing.place is Place.BEATEN) == bool(winners)
        if standing.place is Place.BEATEN:
            assert standing.other in winners
            on = [other for other in winners if found[other].place is Place.FRONT]
            assert not on or standing.other in on
        if standing.place is Place.TIED:
            assert standing.other is not None
            assert found[standing.other].place is Place.FRONT
            assert problem.alike(row, standing.other)
            assert problem.preference[standing.other][0] <= problem.preference[row][0]


@given(problems())
def test_there_is_a_front_and_no_two_of_it_are_one_point(problem: Problem) -> None:
    front = on_front(problem.solved())
    assert front
    assert not any(problem.alike(one, other) for one in front for other in front if one != other)


@given(problems())
def test_no_chain_of_winners_closes(problem: Problem) -> None:
    n = len(problem.rows)
    reach = np.array([[problem.beats(one, other) for other in range(n)] for one in range(n)])
    for middle in range(n):
        reach |= np.outer(reach[:, middle], reach[middle])
    assert not reach.diagonal().any()


def test_without_the_sum_three_rows_would_beat_each_other_in_turns() -> None:
    """Each gains 1.5 over the next one in one objective, and loses 0.75, within the resolution, in the two others."""
    rows = [[0.0, 0.0, 0.0], [-1.5, 0.75, 0.75], [-0.75, -0.75, 1.5]]
    turns = Problem(rows, [True] * 3, [1.0] * 3, [(0.0,)] * 3)
    assert all(sorted(turns.gains(one, (one + 1) % 3)) == [-0.75, -0.75, 1.5] for one in range(3))
    assert [standing.place for standing in turns.solved()] == [Place.FRONT] * 3


@given(problems())
def test_it_is_a_part_of_the_classical_front_and_what_ties_with_it(problem: Problem) -> None:
    classical = pareto.front(problem.rows, problem.maximize)
    for row, standing in enumerate(problem.solved()):
        if standing.place is not Place.BEATEN:
            assert row in classical or any(problem.alike(row, better) for better in classical)


@given(problems(exact=True))
def test_at_zero_error_it_is_the_classical_front_with_each_point_once(problem: Problem) -> None:
    classical = pareto.front(problem.rows, problem.maximize)
    front = on_front(problem.solved())
    assert set(front) <= set(classical)
    points = [tuple(problem.rows[row]) for row in front]
    assert len(points) == len(set(points))
    assert set(points) == {tuple(problem.rows[row]) for row in classical}


@given(problems(), st.randoms(use_true_random=False), st.sampled_from([0.25, 2.0, 1024.0]), st.integers(0, 3))
def test_order_and_units_change_nothing(problem: Problem, chance: random.Random, factor: float, which: int) -> None:
    column = which % len(problem.maximize)
    order = list(range(len(problem.rows)))
    chance.shuffle(order)
    scale = [factor if i == column else 1.0 for i in range(len(problem.maximize))]
    turned = Problem(
        [[v * f for v, f in zip(problem.rows[row], scale, strict=True)] for row in order],
        problem.maximize,
        [r * f for r, f in zip(problem.resolutions, scale, strict=True)],
        [problem.preference[row] for row in order],
    )
    found, again = problem.solved(), turned.solved()
    for place, row in enumerate(order):
        assert again[place].place is found[row].place
        if found[row].place is Place.TIED:
            assert order[again[place].other or 0] == found[row].other


@given(problems(), st.data())
def test_twins_are_one_point_whatever_they_measured(problem: Problem, data: st.DataObject) -> None:
    n = len(problem.rows)
    alike = data.draw(st.lists(st.sampled_from([None, "a", "b"]), min_size=n, max_size=n))
    found = standings(problem.rows, problem.maximize, problem.resolutions, preference=problem.preference, alike=alike)
    front = on_front(found)
    for configuration in ("a", "b"):
        twins = [row for row in range(n) if alike[row] == configuration]
        assert len([row for row in twins if row in front]) <= 1
        # All of them are behind the same row, and none is beaten alone.
        assert len({found[row].place is Place.BEATEN for row in twins}) <= 1


@pytest.mark.parametrize(
    ("rows", "resolutions", "expected"),
    [
        # 0.7 and 0.69 can't be told apart, and the second one is far smaller.
        ([[0.70, 900.0], [0.69, 500.0]], [0.02, 10.0], ["beaten 1", "front"]),
        # Nothing is told apart: the first, equally simple one has the greater sum.
        ([[0.70, 900.0], [0.69, 905.0]], [0.02, 10.0], ["front", "tied 0"]),
        # A trade: more accurate, and larger.
        ([[0.75, 900.0], [0.69, 500.0]], [0.02, 10.0], ["front", "front"]),
        # An accuracy whose error is unknown is taken as it is.
        ([[0.70, 900.0], [0.69, 500.0]], [0.0, 10.0], ["front", "front"]),
        ([[0.70, 905.0], [0.69, 900.0]], [0.0, 10.0], ["front", "beaten 0"]),
        ([], [0.0, 0.0], []),
    ],
)
def test_worked_by_hand(rows: Rows, resolutions: list[float], expected: list[str]) -> None:
    found = standings(rows, [True, False], resolutions)
    assert [f"{s.place}{'' if s.other is None else f' {s.other}'}" for s in found] == expected


def test_the_simpler_one_stands_for_what_ties_with_it() -> None:
    rows = [[0.70, 900.0], [0.69, 905.0]]
    found = standings(rows, [True, False], [0.02, 10.0], preference=[(1.0,), (0.0,)])
    assert found == [Standing(Place.TIED, 1), Standing(Place.FRONT)]


def test_infinite_values_are_taken_where_they_are_exact() -> None:
    rows = [[math.inf, 1.0], [1.0, 1.0], [math.inf, 1.0], [-math.inf, 2.0]]
    found = standings(rows, [True, True], [0.0, 0.0])
    assert [s.place for s in found] == [Place.FRONT, Place.BEATEN, Place.TIED, Place.FRONT]


@pytest.mark.parametrize("resolutions", [[-1.0], [math.inf], [math.nan], [0.0, 0.0]])
def test_a_resolution_that_is_none_is_refused(resolutions: list[float]) -> None:
    with pytest.raises(ValueError, match="resolution"):
        standings([[1.0]], [True], resolutions)
    with pytest.raises(ValueError, match="NaN"):
        standings([[math.nan]], [True], [0.0])
