"""The Markdown keeps its tables' columns, whatever the cells say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from terrasweep.report.markdown import cell, write_markdown
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample
from tests.unit.report.odd_studies import study_of_markup


def test_the_markdown_tables_keep_their_columns(tmp_path: Path) -> None:
    write_markdown(tmp_path, summarize(*sample.study()))
    lines = (tmp_path / "report.md").read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in tables}
    assert widths == {1 + len(sample.OBJECTIVES) + len(sample.SPACE), 4}
    assert "| crashed | failed | 17 |" in "\n".join(tables)
    assert "| 23.0 % over: needs 29.5 GiB" in "\n".join(tables)


def test_what_a_study_says_is_text_and_not_markup(tmp_path: Path) -> None:
    write_markdown(tmp_path, summarize(*study_of_markup()))
    text = (tmp_path / "report.md").read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert "<script" not in prose
    assert "&lt;script" in prose


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a | b", r"a \| b"),
        ("a\nb\t c ", "a b c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("`x_y*`", r"\`x\_y\*\`"),
        ("# no [link]", r"\# no \[link\]"),
        ("back\\slash", r"back\\slash"),
        (7, "7"),
    ],
)
def test_a_cell_is_one_line_without_markup(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_a_study_without_trials_says_so(tmp_path: Path) -> None:
    write_markdown(tmp_path, summarize(sample.record(), []))
    text = (tmp_path / "report.md").read_text()
    assert "No trial has completed." in text
    assert "## Recommendations" not in text
    assert "## Trials that did not complete" not in text
