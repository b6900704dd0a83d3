"""The whole report: it can be written of any study, escapes what it is given and invents nothing."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from terrasweep.report import write_report
from terrasweep.report.figures.fronts import pair_figures
from terrasweep.report.figures.parallel_coordinates import parallel_figure
from terrasweep.report.study_outcome import summarize
from terrasweep.results import pareto
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample
from tests.unit.report.sample_study import objectives, random_study

FILES = {"trials.csv", "pareto.csv", "report.html", "report.md", "pareto.png", "pareto.svg"}


class Page(HTMLParser):
    """The page's elements and text, scripts and styles apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._inside in ("script", "style") else self.text).append(data)


def page_of(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def figures_of(folder: Path) -> dict[str, Any]:
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="figures"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert found
    figures: dict[str, Any] = json.loads(found[1])
    return figures


UNFINISHED = [
    TrialResult(number=0, state=State.FAILED, reason=Reason.CRASHED, message="first\nsecond"),
    TrialResult(number=1, state=State.INFEASIBLE, reason=Reason.TIMEOUT, violation=0.5),
    TrialResult(number=2, state=State.PRUNED, reason=Reason.PRUNER),
]
SAME = {"accuracy": 0.5, "throughput_samples_per_s": 1.0, "peak_memory_mib": 9.0}
STUDIES: dict[str, tuple[StudyRecord, list[TrialResult]]] = {
    "sample": sample.study(),
    "no trials": (sample.record(), []),
    "nothing searched": (sample.record(space={}), [sample.complete(0, {"accuracy": 0.5})]),
    "none complete": (sample.record(), UNFINISHED),
    "one complete": (sample.record(), [*UNFINISHED, sample.results()[0]]),
    "a complete trial without objectives": (sample.record(), [sample.complete(0, {})]),
    "no number": (sample.record(), [TrialResult(number=None, state=State.COMPLETE)]),
    "equal trials": (sample.record(), [sample.complete(i, SAME, q="a") for i in range(6)]),
    "infinite": (sample.record(objectives=objectives(1)), [sample.complete(0, {"peak_memory_mib": math.inf}, q="a")]),
    **{f"{count} objectives": random_study(count, 12) for count in (1, 2, 4)},
    "hundreds of trials": random_study(3, 300),
}


@pytest.mark.parametrize("name", STUDIES)
def test_any_study_has_all_its_files(name: str, tmp_path: Path) -> None:
    record, results = STUDIES[name]
    write_report(tmp_path, record, results)
    assert {path.name for path in tmp_path.iterdir()} - {"recommended"} == FILES
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")
    rows = [attrs for tag, attrs in page_of(tmp_path).tags if attrs.get("class") == "trial"]
    assert len(rows) == len(results)
    pairs = len(record.objectives) * (len(record.objectives) - 1) // 2
    ranked = pareto.ranked(results, record.objectives)
    drawn = [anchor for anchor in figures_of(tmp_path) if re.match("pair|objective", anchor)]
    assert len(drawn) == (max(pairs, 1) if ranked else 0)


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_has_titled_axes_and_values(name: str) -> None:
    outcome = summarize(*STUDIES[name])
    figures = [*pair_figures(outcome), parallel_figure(outcome)]
    for figure in (figure for figure in figures if figure is not None):
        assert not re.search(r"undefined|NaN|Infinity", figure.spec)
        spec = json.loads(figure.spec)
        assert spec["data"]
        assert all(len(trace["x"]) == len(trace["y"]) for trace in spec["data"])
        if figure.anchor.startswith("pair"):
            assert spec["layout"]["xaxis"]["title"]["text"]
            assert spec["layout"]["yaxis"]["title"]["text"]


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    write_report(tmp_path, *sample.study())
    for tag, attrs in page_of(tmp_path).tags:
        assert tag not in {"iframe", "object", "embed", "base", "img"}
        assert not attrs.get("src")
        assert (attrs.get("href") or "#").startswith(("#", "data:,"))
    assert "default-src 'none'" in (tmp_path / "report.html").read_text()


def test_what_a_study_says_is_text_and_not_markup(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    record = sample.record(
        name=evil,
        objectives=[Objective(name=evil, direction="maximize"), Objective(name="accuracy", direction="maximize")],
        space={evil: evil},
        overrides=[evil],
        environment={evil: evil},
    )
    results = [sample.complete(i, {evil: i / 9, "accuracy": 1 - i / 9}, **{evil: f"{evil}{i % 2}"}) for i in range(9)]
    results.append(TrialResult(number=9, state=State.FAILED, reason=Reason.CRASHED, message=evil, device=evil))
    write_report(tmp_path, record, results)
    page = page_of(tmp_path)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in {tag for tag, _ in page.tags}
    assert any(evil in text for text in page.text)
    # Plotly reads a little markup of its own: names and values reach it escaped.
    assert "<img" not in json.dumps(figures_of(tmp_path))
    prose = re.sub(r"```.*?```", "", (tmp_path / "report.md").read_text(), flags=re.DOTALL)
    assert "<script" not in prose


def test_passwords_stay_out(tmp_path: Path) -> None:
    write_report(tmp_path, *sample.study())
    for name in FILES:
        assert b":secret@" not in (tmp_path / name).read_bytes()


def test_the_markdown_tables_keep_their_columns(tmp_path: Path) -> None:
    write_report(tmp_path, *sample.study())
    lines = (tmp_path / "report.md").read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in tables}
    assert widths == {1 + len(sample.OBJECTIVES) + len(sample.SPACE), 4}
    assert "| crashed | failed | 17 |" in "\n".join(tables)
    assert "| 23 % over: needs 29.5 GiB" in "\n".join(tables)


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


def test_the_arithmetic_of_each_trial_and_of_the_study_is_told(tmp_path: Path) -> None:
    record, (first, second, *others) = sample.study()
    exact, coarse = ({"float32_matmul_precision": precision} for precision in ("highest", "medium"))
    told = [dataclasses.replace(first, arithmetic=exact), dataclasses.replace(second, arithmetic=coarse), *others]
    write_report(tmp_path, record, told)
    both = "float32_matmul_precision=highest; float32_matmul_precision=medium"
    assert both in (tmp_path / "report.md").read_text().replace("\\", "")
    assert both in " ".join(page_of(tmp_path).text)
