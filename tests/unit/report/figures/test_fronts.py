"""The fronts bound what they dominate, and mark the trials that do not count."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

from terrasweep.report.figures.fronts import MOST_LABELS, fronts_section, pair_figures
from terrasweep.report.study_outcome import summarize
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample


@pytest.mark.parametrize(("x_direction", "shape"), [("maximize", "vh"), ("minimize", "hv")])
@pytest.mark.parametrize("y_direction", ["maximize", "minimize"])
def test_the_step_line_stays_within_what_the_front_dominates(x_direction: str, y_direction: str, shape: str) -> None:
    pair = [Objective(name="y", direction=y_direction), Objective(name="x", direction=x_direction)]
    sign = [1.0 if objective.maximize else -1.0 for objective in pair]
    gains = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0), (0.5, 0.5)]  # (y, x), more is better; the last one is dominated
    trials = [sample.complete(i, {"y": sign[0] * y, "x": sign[1] * x}) for i, (y, x) in enumerate(gains)]
    (figure,) = pair_figures(summarize(sample.record(objectives=pair), trials))
    (line,) = [trace for trace in json.loads(figure.spec)["data"] if trace["name"] == "front of this pair"]
    assert line["line"]["shape"] == shape
    points = list(zip(line["x"], line["y"], strict=True))
    assert points == sorted(points)
    assert len(points) == 3
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        corner = (x1, y0) if shape == "hv" else (x0, y1)
        worse = [min(sign[1] * x0, sign[1] * x1), min(sign[0] * y0, sign[0] * y1)]
        assert [sign[1] * corner[0], sign[0] * corner[1]] == worse


def test_the_front_of_all_objectives_is_emphasised_in_every_pair(tmp_path: Path) -> None:
    outcome = summarize(*sample.study())
    for figure in pair_figures(outcome):
        traces = {trace["name"]: trace for trace in json.loads(figure.spec)["data"]}
        assert len(traces["front of all objectives"]["x"]) == len(outcome.front)
        assert len(traces["dominated"]["x"]) == len(outcome.ranked) - len(outcome.front)
        assert len(traces["knee"]["x"]) == 1


def test_trials_that_do_not_count_are_marked_where_they_were_measured() -> None:
    figure = pair_figures(summarize(*sample.study()))[1]  # accuracy against peak memory
    traces = {trace["name"]: trace for trace in json.loads(figure.spec)["data"]}
    assert traces["infeasible"]["x"] == [26567.0]  # over budget: both known
    rug = traces["infeasible, one value known"]  # diverged: no accuracy
    assert rug["yaxis"] == "y2"
    assert rug["x"] == [sample.results()[14].measurements["peak_memory_mib"]]


def test_a_front_of_too_many_members_has_no_numbers_and_one_member_fewer_has_all() -> None:
    pair = [Objective(name="y", direction="maximize"), Objective(name="x", direction="maximize")]
    for count in (MOST_LABELS, MOST_LABELS + 1):
        trials = [sample.complete(i, {"y": float(i), "x": float(count - i)}) for i in range(count)]
        (figure,) = pair_figures(summarize(sample.record(objectives=pair), trials))
        (front,) = [t for t in json.loads(figure.spec)["data"] if t["name"] == "front of all objectives"]
        assert ("text" in front) == (count == MOST_LABELS)
        assert len(front["x"]) == count


def test_a_trial_that_lacks_the_value_across_is_marked_at_the_left_edge() -> None:
    pair = [Objective(name="peak_memory_mib", direction="minimize"), Objective(name="accuracy", direction="maximize")]
    known = [sample.complete(i, {"accuracy": 0.1 * i, "peak_memory_mib": 10.0 * i}) for i in (1, 2)]
    lost = TrialResult(
        number=3,
        state=State.INFEASIBLE,
        reason=Reason.OVER_BUDGET,
        measurements=Measurements(peak_memory_mib=77.0),
    )
    (figure,) = pair_figures(summarize(sample.record(objectives=pair), [*known, lost]))
    traces = {trace["name"]: trace for trace in json.loads(figure.spec)["data"]}
    rug = traces["infeasible, one value known"]
    assert (rug["x"], rug["y"]) == ([0.0], [77.0])
    assert rug["xaxis"] == "x2"
    assert rug["marker"]["symbol"] == "line-ew-open"


def test_known_errors_are_bars_on_the_front_s_points_and_ties_are_fainter() -> None:
    values = {"accuracy": 0.7, "throughput_samples_per_s": 100.0, "peak_memory_mib": 900.0}
    first = dataclasses.replace(sample.complete(0, values), quality_key="q", cost_key="c")
    twin = dataclasses.replace(first, number=1, cost_from="0", probes=[{"throughput_samples_per_s": 121.0}])
    old = sample.complete(2, {"accuracy": 0.8, "throughput_samples_per_s": 50.0, "peak_memory_mib": 950.0})
    outcome = summarize(sample.record(), [first, twin, old])
    figure = pair_figures(outcome)[0]  # accuracy against throughput
    traces = {trace["name"]: trace for trace in json.loads(figure.spec)["data"]}
    front = traces["front of all objectives"]
    assert front["x"] == pytest.approx([110.0, 50.0])
    low, high = outcome.interval(outcome.trials[0], "throughput_samples_per_s") or (0.0, 0.0)
    assert front["error_x"]["array"] == [pytest.approx(high - front["x"][0]), None]
    assert front["error_x"]["arrayminus"] == [pytest.approx(front["x"][0] - low), None]
    assert "error_y" not in front, "no accuracy was repeated"
    assert traces["tied with the front"]["x"] == pytest.approx([110.0])
    section = fronts_section(outcome)
    assert "tied" in [mark.meaning for mark in section.key]
    assert "bars" in section.note
    plain = fronts_section(summarize(*sample.study()))
    assert "tied" not in [mark.meaning for mark in plain.key]
    assert "bars" not in plain.note
