"""Bars per objective, the largest on top; where nothing can be said, words stand in their place."""

import json

import pytest

from terrasweep.report.figures.importances import importance_figure, importances_section
from terrasweep.report.importances import importances
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample


def test_the_largest_share_is_on_top_and_names_are_escaped():
    spec = json.loads(importance_figure("a", "accuracy", {"tuning.rank": 0.25, "<b>": 0.7, "train.lr": 0.05}).spec)
    (bars,) = spec["data"]
    # Plotly draws from the foot up.
    assert bars["y"] == ["train.lr", "tuning.rank", "&lt;b&gt;"]
    assert bars["x"] == [0.05, 0.25, 0.7]
    assert bars["text"] == ["5%", "25%", "70%"]


def test_each_objective_has_a_figure_of_its_shares():
    outcome = summarize(*sample.study())
    section = importances_section(outcome)
    assert [figure.anchor for figure in section.figures] == ["importance-0", "importance-1", "importance-2"]
    assert [figure.title for figure in section.figures] == [
        *("accuracy (mIoU)", "throughput (samples/s)", "peak memory (MiB)")
    ]
    for figure, objective in zip(section.figures, outcome.objectives, strict=True):
        (bars,) = json.loads(figure.spec)["data"]
        assert dict(zip(bars["y"], bars["x"], strict=True)) == pytest.approx(importances(outcome, objective.name))
        assert bars["x"] == sorted(bars["x"])


def test_without_shares_a_figure_is_the_sentence_that_says_why():
    for figure in importances_section(summarize(sample.record(), [])).figures:
        assert figure.spec == ""
        assert figure.note == "Importances need at least 4 complete trials; there are 0."
