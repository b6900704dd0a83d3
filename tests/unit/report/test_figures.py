"""The page shows the sections that are listed, in their order, whatever they are."""

import json
import re
from pathlib import Path

import pytest

from terrasweep.report import figures
from terrasweep.report.figures import FIGURES, figure_sections
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.page import write_page
from terrasweep.report.study_outcome import StudyOutcome, summarize
from tests.unit.report import sample_study as sample
from tests.unit.report.odd_studies import STUDIES


def number_of_trials(outcome: StudyOutcome) -> FigureSection:
    figure = PageFigure(anchor="count", title="How many", spec='{"data": [], "layout": {"title": "trials"}}')
    return FigureSection(anchor="counting", heading="Counting", link="Count", figures=[figure], key=[])


def test_sections_come_in_the_order_of_the_list_and_absent_ones_are_left_out() -> None:
    assert [section.anchor for section in figure_sections(summarize(*sample.study()))] == [
        *("fronts", "settings", "importances", "progress")
    ]
    assert [section.anchor for section in figure_sections(summarize(sample.record(), []))] == ["fronts", "importances"]


def test_a_figure_joins_the_page_by_its_line_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FIGURES", (*FIGURES, number_of_trials))
    write_page(tmp_path, summarize(*sample.study()))
    page = (tmp_path / "report.html").read_text()
    assert '<a href="#counting">Count</a>' in page
    assert page.index('<section id="progress">') < page.index('<section id="counting">')
    assert '<div id="count" class="plot"></div>' in page
    assert '"count":{"data":[],"layout":{"title":"trials"}}' in page


def test_words_stand_where_there_is_nothing_to_draw(tmp_path: Path) -> None:
    write_page(tmp_path, summarize(sample.record(), []))
    page = (tmp_path / "report.html").read_text()
    assert "No trial has completed, so there is no front." in page
    assert "Importances need at least 4 complete trials; there are 0." in page
    assert 'class="plot"' not in page


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_has_titled_axes_and_values(name: str) -> None:
    drawn = [figure for section in figure_sections(summarize(*STUDIES[name])) for figure in section.figures]
    for figure in (figure for figure in drawn if figure.spec):
        assert not re.search(r"undefined|NaN|Infinity", figure.spec)
        spec = json.loads(figure.spec)
        assert spec["data"]
        assert all(len(trace["x"]) == len(trace["y"]) for trace in spec["data"])
        if figure.anchor.startswith(("pair", "objective", "hypervolume")):
            assert spec["layout"]["xaxis"]["title"]["text"]
            assert spec["layout"]["yaxis"]["title"]["text"]
