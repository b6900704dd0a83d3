"""The progress of a study: a step per trial, and a mark where the search has gained."""

import dataclasses
import json

import pytest

from terrasweep.report.figures.hypervolume import hypervolume_figure, hypervolume_section
from terrasweep.report.study_outcome import summarize
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

SPEED = Objective(name="throughput_samples_per_s", direction="maximize")


def drawn(*speeds):
    trials = [sample.complete(i, {SPEED.name: speed}) for i, speed in enumerate(speeds)]
    figure = hypervolume_figure(summarize(sample.record(objectives=[SPEED]), trials))
    return figure, json.loads(figure.spec)["data"][0]


def test_it_is_the_best_speed_in_units_of_the_first_and_gains_are_marked():
    figure, line = drawn(10.0, 5.0, 25.0, 20.0, 30.0)
    assert line["x"] == [0, 1, 2, 3, 4]
    assert line["y"] == [1.0, 1.0, 2.5, 2.5, 3.0]
    assert [size > 0 for size in line["marker"]["size"]] == [True, False, True, False, True]
    assert line["line"]["shape"] == "hv", "what is gained stays until the next gain"
    assert figure.note.endswith("reference point: throughput (samples/s) 0.")


def test_no_tick_lies_between_two_trials():
    figure, _ = drawn(10.0, 5.0, 25.0)
    assert json.loads(figure.spec)["layout"]["xaxis"]["dtick"] == 1
    many, _ = drawn(*map(float, range(1, 40)))
    assert "dtick" not in json.loads(many.spec)["layout"]["xaxis"]


def test_trials_that_did_not_complete_keep_what_was_reached():
    outcome = summarize(*sample.study())
    line = json.loads(hypervolume_figure(outcome).spec)["data"][0]
    assert line["x"] == [result.number for result in outcome.trials]
    assert line["y"] == outcome.hypervolume
    for number in sample.UNFINISHED:
        assert line["marker"]["size"][number] == 0


def test_a_trial_without_a_number_has_no_place_and_without_a_complete_one_there_is_no_figure():
    values = {SPEED.name: 1.0}
    unnumbered = TrialResult(number=None, state=State.COMPLETE, measurements=values)
    outcome = summarize(sample.record(objectives=[SPEED]), [sample.complete(3, values), unnumbered])
    assert json.loads(hypervolume_figure(outcome).spec)["data"][0]["x"] == [3]
    for trials in ([], [unnumbered], [TrialResult(number=0, state=State.FAILED)]):
        assert hypervolume_section(summarize(sample.record(objectives=[SPEED]), trials)) is None


def test_what_was_left_to_gain_is_added_to_what_was_had_where_a_model_told():
    left = {1: 0.5, 2: 0.01}
    trials = [sample.complete(i, {SPEED.name: speed}) for i, speed in enumerate((10.0, 20.0, 25.0, 25.0))]
    trials = [
        dataclasses.replace(t, proposed={"left": left[t.number] * 3, "hypervolume": 3.0} if t.number in left else {})
        for t in trials
    ]
    figure = hypervolume_figure(summarize(sample.record(objectives=[SPEED]), trials))
    line, promise = json.loads(figure.spec)["data"]
    assert line["y"] == [1.0, 2.0, 2.5, 2.5]
    assert (promise["x"], promise["y"]) == ([1, 2], pytest.approx([1.0 * 1.5, 2.0 * 1.01]))
    assert promise["customdata"][1] == "<b>trial 2</b><br>left to gain: <b>1.0 %</b>"
    assert figure.note.endswith("what was left to gain.")
