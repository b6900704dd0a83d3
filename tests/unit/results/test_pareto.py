"""Fronts, hypervolume and knees against definitions written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results import pareto
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

Rows = list[list[float]]
# Few distinct values, so that ties and duplicates are the rule.
TIED = st.sampled_from([-math.inf, -2.0, 0.0, 1.0, 1.5, 3.0, math.inf])
SMALL = st.integers(-2, 6).map(float)
UNIT = (0.0, 1.0)


@st.composite
def problems(draw: st.DrawFn, value: st.SearchStrategy[float], most_rows: int = 12) -> tuple[Rows, list[bool]]:
    m = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(value, min_size=m, max_size=m), max_size=most_rows))
    return rows, draw(st.lists(st.booleans(), min_size=m, max_size=m))


def dominates(a: Sequence[float], b: Sequence[float], maximize: Sequence[bool]) -> bool:
    no_worse = all(x >= y if up else x <= y for x, y, up in zip(a, b, maximize, strict=True))
    return no_worse and list(a) != list(b)


def volume_by_cells(rows: Rows, maximize: Sequence[bool], reference: Sequence[tuple[float, float]]) -> float:
    """The union of the boxes, summed over the cells of the grid that their corners span."""
    gains = [
        [
            (v - worst) / scale if up else (worst - v) / scale
            for v, up, (worst, scale) in zip(row, maximize, reference, strict=True)
        ]
        for row in rows
    ]
    gains = [row for row in gains if min(row) > 0]
    edges = [sorted({0.0, *(row[i] for row in gains)}) for i in range(len(maximize))]
    total = 0.0
    for cell in itertools.product(*(range(len(axis) - 1) for axis in edges)):
        top = [edges[i][k + 1] for i, k in enumerate(cell)]
        if any(all(g >= t for g, t in zip(row, top, strict=True)) for row in gains):
            total += math.prod(edges[i][k + 1] - edges[i][k] for i, k in enumerate(cell))
    return total


@given(problems(TIED))
def test_front_is_what_no_row_dominates(problem: tuple[Rows, list[bool]]) -> None:
    rows, maximize = problem
    expected = [i for i, row in enumerate(rows) if not any(dominates(other, row, maximize) for other in rows)]
    assert pareto.front(rows, maximize) == expected


@given(problems(SMALL, most_rows=40))
def test_front_of_many_rows_keeps_duplicates(problem: tuple[Rows, list[bool]]) -> None:
    rows, maximize = problem
    once = pareto.front(rows, maximize)
    twice = pareto.front(rows + rows, maximize)
    assert twice == once + [i + len(rows) for i in once]


def test_front_of_nothing_is_empty() -> None:
    assert pareto.front([], [True, False]) == []
    assert pareto.front(np.empty((0, 2)), [True, False]) == []


@pytest.mark.parametrize("call", [pareto.front, pareto.knee])
def test_nan_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match="NaN"):
        call([[1.0, math.nan], [2.0, 1.0]], [True, True])  # type: ignore[operator]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 objectives"):
        pareto.front([[1.0, 2.0, 3.0]], [True, False])
    with pytest.raises(ValueError, match="objective"):
        pareto.front([[]], [])
    with pytest.raises(ValueError, match="1 references"):
        pareto.hypervolume([[1.0, 2.0]], [True, True], [UNIT])


def test_hypervolume_worked_by_hand() -> None:
    # Gains (0.5, 0.5) and (0.2, 0.9): 0.25 + 0.18 - 0.2 * 0.5.
    values = [[0.5, 500.0], [0.2, 100.0]]
    assert pareto.hypervolume(values, [True, False], [UNIT, (1000.0, 1000.0)]) == pytest.approx(0.33)


def test_hypervolume_of_one_objective_is_the_best_gain() -> None:
    assert pareto.hypervolume([[3.0], [5.0], [4.0]], [True], [(1.0, 2.0)]) == pytest.approx(2.0)


def test_a_row_at_or_beyond_the_worst_value_contributes_nothing() -> None:
    reference = [(0.0, 1.0), (10.0, 10.0)]
    assert pareto.hypervolume([[-0.1, 1.0], [0.9, 10.0], [0.9, 11.0]], [True, False], reference) == 0.0
    assert pareto.hypervolume([], [True, False], reference) == 0.0


@given(problems(SMALL, most_rows=6), st.lists(st.sampled_from([0.5, 1.0, 4.0]), min_size=4, max_size=4))
def test_hypervolume_is_the_volume_of_the_union(problem: tuple[Rows, list[bool]], scales: list[float]) -> None:
    rows, maximize = problem
    reference = [(0.0 if up else 5.0, scale) for up, scale in zip(maximize, scales, strict=False)]
    expected = volume_by_cells(rows, maximize, reference)
    assert pareto.hypervolume(rows, maximize, reference) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(problems(SMALL, most_rows=8), st.data())
def test_history_ends_at_the_hypervolume_and_never_falls(problem: tuple[Rows, list[bool]], data: st.DataObject) -> None:
    rows, maximize = problem
    reference = [(0.0, 1.0) if up else (5.0, 5.0) for up in maximize]
    gaps: list[list[float] | None] = [row if data.draw(st.booleans()) else None for row in rows]
    history = pareto.hypervolume_history(gaps, maximize, reference)
    assert len(history) == len(gaps)
    assert history == sorted(history)
    for i, volume in enumerate(history):
        known = [row for row in gaps[: i + 1] if row is not None]
        assert volume == pytest.approx(pareto.hypervolume(known, maximize, reference), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("reference", [[(0.0, 0.0)], [(0.0, -1.0)], [(math.inf, 1.0)]])
def test_a_reference_without_scale_is_refused(reference: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="scale"):
        pareto.hypervolume([[1.0]], [True], reference)


def test_infinite_values_have_no_hypervolume() -> None:
    with pytest.raises(ValueError, match="finite"):
        pareto.hypervolume([[math.inf]], [True], [UNIT])


@pytest.mark.parametrize(
    ("values", "maximize", "expected"),
    [
        ([[0.8, 900.0], [0.78, 300.0], [0.5, 250.0]], [True, False], 1),  # the bend of an L
        ([[0.0, 1.0], [0.3, 0.3], [1.0, 0.0]], [False, False], 1),
        ([[0.0, 1.0], [0.7, 0.7], [1.0, 0.0]], [True, True], 1),
        ([[0.6, 1.0, 5.0], [0.6, 3.0, 9.0], [0.6, 2.5, 6.0]], [True, True, False], 2),  # a constant objective
        ([[0.8, 900.0], [0.5, 250.0]], [True, False], 0),  # two members are equally far: the first one
        ([[0.5, 250.0], [0.8, 900.0]], [True, False], 0),
        ([[7.0, 7.0]], [True, False], 0),
        ([[7.0], [7.0]], [False], 0),
    ],
)
def test_knee(values: Rows, maximize: list[bool], expected: int) -> None:
    assert pareto.knee(values, maximize) == expected


def test_an_empty_front_has_no_knee() -> None:
    with pytest.raises(ValueError, match="empty"):
        pareto.knee([], [True])
    with pytest.raises(ValueError, match="finite"):
        pareto.knee([[math.inf, 1.0]], [True, True])


@given(problems(st.floats(-1e3, 1e3).map(lambda v: round(v, 2))), st.floats(0.1, 100), st.floats(-50, 50))
def test_the_knee_does_not_depend_on_units(problem: tuple[Rows, list[bool]], factor: float, offset: float) -> None:
    rows, maximize = problem
    front = [rows[i] for i in pareto.front(rows, maximize)]
    if not front:
        return
    rescaled = [[row[0] * factor + offset, *row[1:]] for row in front]

    def distance(index: int) -> float:
        ranges = [(min(column), max(column)) for column in zip(*front, strict=True)]
        shares = [
            0.0 if low == high else (high - v if up else v - low) / (high - low)
            for v, (low, high), up in zip(front[index], ranges, maximize, strict=True)
        ]
        return math.dist(shares, [0.0] * len(shares))

    best = min(distance(i) for i in range(len(front)))
    assert distance(pareto.knee(front, maximize)) == pytest.approx(best, abs=1e-9)
    assert distance(pareto.knee(rescaled, maximize)) == pytest.approx(best, abs=1e-6)


def result(state: State = State.COMPLETE, /, **values: float) -> TrialResult:
    names = ("accuracy", "throughput_samples_per_s", "peak_memory_mib", "train_loss", "allocator_retries")
    measured = {name: value for name, value in values.items() if name in names}
    metrics = {name: value for name, value in values.items() if name not in names}
    return TrialResult(number=0, state=state, measurements=Measurements(**measured), metrics=metrics)


@pytest.mark.parametrize(
    ("name", "direction", "first", "expected"),
    [
        ("accuracy", "maximize", 0.8, (0.0, 1.0)),
        ("val/mIoU", "maximize", 0.4, (0.0, 1.0)),
        ("Multiclass_F1_Score", "maximize", 0.4, (0.0, 1.0)),
        ("throughput_samples_per_s", "maximize", 40.0, (0.0, 40.0)),
        ("peak_memory_mib", "minimize", 3000.0, (12000.0, 12000.0)),
        ("allocator_retries", "minimize", 0.0, (1.0, 1.0)),
        ("psnr", "maximize", 0.0, (0.0, 1.0)),
        ("train_loss", "minimize", -2.0, (4.0, 4.0)),
        ("log_likelihood", "maximize", -2.0, (-8.0, 8.0)),
    ],
)
def test_reference(name: str, direction: str, first: float, expected: tuple[float, float]) -> None:
    reference = pareto.fix_reference(result(**{name: first}), [Objective(name=name, direction=direction)])
    assert reference == {name: expected}


@pytest.mark.parametrize("first", [-3.0, 0.0, 1e-9, 0.7, 1e12])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_reference_has_a_scale_and_can_be_beaten(first: float, direction: str) -> None:
    objective = Objective(name="score", direction=direction)
    (pair,) = pareto.fix_reference(result(score=first), [objective]).values()
    better = first + max(1.0, abs(first)) * (1 if objective.maximize else -1)
    assert pair[1] > 0
    assert pareto.hypervolume([[better]], [objective.maximize], [pair]) > 0


def test_a_reference_needs_a_complete_trial() -> None:
    objectives = [Objective(name="accuracy", direction="maximize")]
    with pytest.raises(ValueError, match="fixes no reference"):
        pareto.fix_reference(result(), objectives)
    with pytest.raises(ValueError, match="fixes no reference"):
        pareto.fix_reference(result(State.INFEASIBLE, accuracy=0.5), objectives)


def test_the_front_of_trials_ignores_those_that_do_not_count() -> None:
    objectives = [
        Objective(name="accuracy", direction="maximize"),
        Objective(name="peak_memory_mib", direction="minimize"),
    ]
    good = result(accuracy=0.8, peak_memory_mib=900.0)
    worse = result(accuracy=0.7, peak_memory_mib=950.0)
    partial = result(accuracy=0.99)
    infinite = result(accuracy=math.inf, peak_memory_mib=1.0)
    infeasible = result(Reason.OVER_BUDGET.state, accuracy=0.99, peak_memory_mib=1.0)
    assert pareto.front_of([worse, partial, infeasible, good, infinite], objectives) == [good]
    assert pareto.ranked([worse, partial, infeasible, good, infinite], objectives) == [worse, good]
