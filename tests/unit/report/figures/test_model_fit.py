"""Measured over expected numbers: points, their bars, and the same in words and in a table."""

import json

import pytest

from terrasweep.report.figures.model_fit import model_fit_section
from terrasweep.report.markdown import write_markdown
from terrasweep.report.page import write_page
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample
from tests.unit.report.test_model_fit import trial
from tests.unit.report.written_page import page_of

TRIALS = [trial(0, 0.5, 0.55), trial(1, 0.6, 0.58, sd=0.05)]


def test_each_trial_is_a_point_beside_the_line_on_which_it_was_expected():
    (figure,) = model_fit_section(summarize(sample.record(), TRIALS)).figures
    line, points = json.loads(figure.spec)["data"]
    assert line["x"] == line["y"] == [0.5, 0.6]
    assert (points["x"], points["y"]) == ([0.5, 0.6], [0.55, 0.58])
    assert points["error_x"]["array"] == pytest.approx([0.1, 0.05])
    assert points["error_x"]["arrayminus"] == pytest.approx([0.1, 0.05])


def test_without_a_model_there_is_no_section():
    assert model_fit_section(summarize(*sample.study())) is None


def test_who_can_not_see_the_figure_reads_it(tmp_path):
    outcome = summarize(sample.record(), TRIALS)
    write_page(tmp_path, outcome)
    write_markdown(tmp_path, outcome)
    (plot,) = [attrs for _, attrs in page_of(tmp_path).tags if attrs.get("id") == "model-fit-0"]
    assert plot["role"] == "img"
    assert plot["aria-label"].startswith("accuracy: 2 trials, off by 0.035 (median)")
    assert '<td>accuracy</td><td class="number">2</td>' in (tmp_path / "report.html").read_text()
    assert "| accuracy | 2 | 0.035 | 0.015 |" in (tmp_path / "report.md").read_text()
