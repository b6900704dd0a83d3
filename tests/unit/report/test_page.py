"""The page opens without a network, and what a study says is text in it."""

from __future__ import annotations

import json
from pathlib import Path

from terrasweep.report.page import write_page
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample
from tests.unit.report.odd_studies import MARKUP, study_of_markup
from tests.unit.report.written_page import figures_of, page_of


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    write_page(tmp_path, summarize(*sample.study()))
    for tag, attrs in page_of(tmp_path).tags:
        assert tag not in {"iframe", "object", "embed", "base", "img"}
        assert not attrs.get("src")
        assert (attrs.get("href") or "#").startswith(("#", "data:,"))
    assert "default-src 'none'" in (tmp_path / "report.html").read_text()


def test_what_a_study_says_is_text_and_not_markup(tmp_path: Path) -> None:
    write_page(tmp_path, summarize(*study_of_markup()))
    page = page_of(tmp_path)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in {tag for tag, _ in page.tags}
    assert any(MARKUP in text for text in page.text)
    # Plotly reads a little markup of its own: names and values reach it escaped.
    assert "<img" not in json.dumps(figures_of(tmp_path))


def test_every_trial_has_its_row_and_every_figure_its_place(tmp_path: Path) -> None:
    record, results = sample.study()
    write_page(tmp_path, summarize(record, results))
    tags = page_of(tmp_path).tags
    assert sum(attrs.get("class") == "trial" for _, attrs in tags) == len(results)
    places = [attrs.get("id") for _, attrs in tags if attrs.get("class") == "plot"]
    assert places == list(figures_of(tmp_path))
    assert len(places) == 3 + 1 + 3 + 1  # pairs, settings, importances, progress
