"""The learning curves of the front: each against steps and against seconds, with the state that was kept."""

import dataclasses
import json

from terrasweep.report.figures.learning_curves import learning_curves_section
from terrasweep.report.study_outcome import summarize
from terrasweep.results.study_record import Objective
from tests.unit.report import sample_study as sample

ACCURACY = Objective(name="accuracy", direction="maximize")
SPEED = Objective(name="throughput_samples_per_s", direction="maximize")
CURVES = {
    "val_accuracy": [(10, 0.4), (20, 0.7), (30, 0.6)],
    "val_loss": [(10, 0.9), (20, 0.5), (30, 0.55)],
    "val_train_seconds": [(10, 1.5), (20, 3.0), (30, 4.5)],
}


def trial(number, accuracy, speed, curves=None):
    values = {"accuracy": accuracy, SPEED.name: speed, "kept_steps": 20}
    return dataclasses.replace(sample.complete(number, values), curves=CURVES if curves is None else curves)


def section(*trials):
    return learning_curves_section(summarize(sample.record(objectives=[ACCURACY, SPEED]), list(trials)))


def drawn(*trials):
    return {figure.anchor: json.loads(figure.spec)["data"] for figure in section(*trials).figures}


def test_each_curve_stands_where_its_validations_were():
    figures = drawn(trial(0, 0.7, 5.0))
    (steps,), (seconds,), (losses,), (losses_in_time,) = figures.values()
    assert list(figures) == [f"val-{what}-by-{over}" for what in ("accuracy", "loss") for over in ("steps", "seconds")]
    assert (steps["x"], steps["y"]) == ([10, 20, 30], [0.4, 0.7, 0.6])
    assert (seconds["x"], seconds["y"]) == ([1.5, 3.0, 4.5], [0.4, 0.7, 0.6])
    assert (losses["x"], losses["y"]) == ([10, 20, 30], [0.9, 0.5, 0.55])
    assert (losses_in_time["x"], losses_in_time["y"]) == ([1.5, 3.0, 4.5], [0.9, 0.5, 0.55])
    assert steps["marker"]["symbol"] == ["circle", "circle-open", "circle"], "the ring is at the kept state"


def test_only_the_front_is_drawn_and_of_a_large_one_the_most_accurate():
    figures = drawn(trial(0, 0.9, 1.0), trial(1, 0.5, 0.5), trial(2, 0.8, 2.0))
    assert [line["name"] for line in figures["val-accuracy-by-steps"]] == ["trial 0", "trial 2"]
    many = [trial(number, 0.9 - 0.01 * number, 1.0 + number) for number in range(12)]
    names = [line["name"] for line in drawn(*many)["val-accuracy-by-steps"]]
    assert names == [f"trial {number}" for number in range(8)]
    colours = {line["line"]["color"] for line in drawn(*many)["val-accuracy-by-steps"]}
    assert len(colours) == 8


def test_a_study_that_was_not_validated_in_between_has_none():
    assert section(trial(0, 0.7, 5.0, curves={"val_accuracy": [(30, 0.7)]}), trial(1, 0.6, 9.0, curves={})) is None
    assert section() is None


def test_points_that_were_not_finite_leave_a_gap_and_no_error():
    torn = CURVES | {"val_loss": [(10, 0.9), (30, 0.55)]}
    (line,) = drawn(trial(0, 0.7, 5.0, curves=torn))["val-loss-by-steps"]
    assert (line["x"], line["y"]) == ([10, 30], [0.9, 0.55])
