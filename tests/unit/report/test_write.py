"""The whole report: it can be written of any study, the same one each time, and loads its libraries late."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from terrasweep.report import write_report
from terrasweep.results import pareto
from tests.unit.report import sample_study as sample
from tests.unit.report.odd_studies import STUDIES
from tests.unit.report.written_page import figures_of, page_of

FILES = {"trials.csv", "pareto.csv", "report.html", "report.md", "pareto.png", "pareto.svg"}


@pytest.mark.parametrize("name", STUDIES)
def test_any_study_has_all_its_files(name: str, tmp_path: Path) -> None:
    record, results = STUDIES[name]
    write_report(tmp_path, record, results)
    assert {path.name for path in tmp_path.iterdir()} - {"recommended"} == FILES
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")
    rows = [attrs for _, attrs in page_of(tmp_path).tags if attrs.get("class") == "trial"]
    assert len(rows) == len(results)
    pairs = len(record.objectives) * (len(record.objectives) - 1) // 2
    ranked = pareto.ranked(results, record.objectives)
    drawn = [anchor for anchor in figures_of(tmp_path) if re.match("pair|objective", anchor)]
    assert len(drawn) == (max(pairs, 1) if ranked else 0)


def test_passwords_stay_out(tmp_path: Path) -> None:
    write_report(tmp_path, *sample.study())
    for name in FILES:
        assert b":secret@" not in (tmp_path / name).read_bytes()


def test_the_same_study_gives_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_report(tmp_path / folder, *sample.study())
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_importing_the_report_loads_no_figure_library() -> None:
    code = (
        "import sys, terrasweep.report; "
        "print([m for m in ('plotly', 'matplotlib', 'jinja2', 'optuna', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
