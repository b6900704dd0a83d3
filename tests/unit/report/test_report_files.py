"""The whole report: it can be written of any study, escapes what it is given and invents nothing."""

from __future__ import annotations

import html
import itertools
import json
import math
import random
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
from terrasweep.report.figures.shared_look import axis_title
from terrasweep.report.importances import importances
from terrasweep.report.labels import label, touched_text, violation_text
from terrasweep.report.number_placement import choose_sides, label_box
from terrasweep.report.study_outcome import summarize
from terrasweep.results import pareto
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded
from tests.unit.report import sample_study as sample

FILES = {"trials.csv", "pareto.csv", "report.html", "report.md", "pareto.png", "pareto.svg"}
ODD = "val/IoU <i>é|`_x`"


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


def objectives(count: int) -> list[Objective]:
    names = [
        ("peak_memory_mib", "minimize"),
        (ODD, "maximize"),
        ("wall_seconds", "minimize"),
        ("flops_per_step", "minimize"),
    ]
    return [Objective(name=name, direction=direction) for name, direction in names[:count]]


def random_study(n_objectives: int, n_trials: int) -> tuple[StudyRecord, list[TrialResult]]:
    chance = random.Random(n_trials)
    record = sample.record(
        objectives=objectives(n_objectives), space={"train.lr": "interval(1e-6, 1e-2)", "q": "choice(a, b)"}
    )
    trials = [
        sample.complete(
            i,
            {objective.name: chance.uniform(1, 100) for objective in record.objectives},
            **{"train.lr": 10 ** chance.uniform(-6, -2), "q": chance.choice("ab")},
        )
        for i in range(n_trials)
    ]
    return record, trials


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


def test_parallel_coordinates_show_absent_keys_and_put_the_better_end_on_top() -> None:
    outcome = summarize(*sample.study())
    figure = parallel_figure(outcome)
    assert figure
    spec = json.loads(figure.spec)
    titles = spec["layout"]["xaxis"]["ticktext"]
    ticks = {(note["x"], note["text"]): note["y"] for note in spec["layout"]["annotations"]}
    rank, memory = titles.index("tuning.<br>rank"), titles.index("peak memory<br>(MiB)")
    order = ["-", "1", "2", "4", "8", "16"]
    assert sorted(order, key=lambda text: ticks[rank, text]) == order
    values = [result.value("peak_memory_mib") or 0.0 for result in outcome.ranked]
    assert ticks[memory, rounded(min(values))] == 1.0
    assert ticks[memory, rounded(max(values))] == 0.0
    lines = {trace["meta"]: trace for trace in spec["data"]}
    assert len(lines) == 24
    assert max(lines[17]["x"]) == len(sample.SPACE) - 1  # crashed: it ends before the objectives
    assert max(lines[0]["x"]) == len(titles) - 1


def test_a_continuous_key_spanning_decades_has_a_logarithmic_axis() -> None:
    record, trials = random_study(2, 60)
    figure = parallel_figure(summarize(record, trials))
    assert figure
    heights = {trace["meta"]: trace["y"][0] for trace in json.loads(figure.spec)["data"]}
    middle = min(trials, key=lambda result: abs(result.searched["train.lr"] - 1e-4))
    assert heights[middle.number] == pytest.approx(0.5, abs=0.1)


def test_importance_goes_to_the_key_that_decides() -> None:
    chance = random.Random(0)
    trials = [
        sample.complete(i, {"accuracy": {"a": 0.1, "b": 0.9}.get(q, 0.5) + chance.random() / 50}, q=q, **rest)
        for i in range(24)
        for q, rest in [(chance.choice("abc"), {"r": chance.choice([1, 2])} if i % 3 else {})]
    ]
    shares = importances(
        summarize(sample.record(objectives=sample.OBJECTIVES[:1], space={"q": "", "r": ""}), trials), "accuracy"
    )
    assert isinstance(shares, dict)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["q"] > 0.9
    assert set(shares) == {"q", "r"}


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        ([sample.complete(i, {"accuracy": i / 9}, q=i) for i in range(3)], "at least 4 complete trials; there are 3"),
        ([sample.complete(i, {"accuracy": 0.5}, q=i) for i in range(9)], "same value"),
        ([sample.complete(i, {"accuracy": i / 9}, q="a") for i in range(9)], "No searched setting differs"),
        ([sample.complete(i, {"accuracy": 0.5 + 1e-17 * i}, q=i) for i in range(9)], "too close together"),
    ],
)
def test_where_nothing_can_be_said_a_sentence_says_so(trials: list[TrialResult], sentence: str) -> None:
    said = importances(summarize(sample.record(objectives=sample.OBJECTIVES[:1], space={"q": ""}), trials), "accuracy")
    assert isinstance(said, str)
    assert sentence in said


def test_importances_leave_optunas_logging_as_it_was() -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    importances(summarize(*random_study(1, 8)), "peak_memory_mib")
    assert optuna.logging.get_verbosity() == before


def test_importing_the_report_loads_no_figure_library() -> None:
    code = (
        "import sys, terrasweep.report; "
        "print([m for m in ('plotly', 'matplotlib', 'jinja2', 'optuna', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("throughput_samples_per_s", "throughput (samples/s)"),
        ("peak_memory_mib", "peak memory (MiB)"),
        ("step_time_p50_s", "step time p50 (s)"),
        ("train_seconds", "train time (s)"),
        ("weight_bytes", "weight (bytes)"),
        ("data_wait_share", "data wait share"),
        ("accuracy", "accuracy (mIoU)"),
        ("IoU_water", "IoU_water"),
        (ODD, ODD),
    ],
)
def test_labels_carry_units(name: str, expected: str) -> None:
    assert label(name, "mIoU") == expected


def test_small_texts() -> None:
    assert violation_text(0.23) == "23 % over"
    assert violation_text(0.0123) == "1.2 % over"
    assert violation_text(11.0) == "1,100 % over"
    assert violation_text(None) == ""
    touched = TrialResult(number=0, state=State.COMPLETE, touched={"quantized": ["a"] * 16, "adapted": ["b"]})
    assert touched_text(touched) == "16 modules quantized, 1 module adapted"
    assert axis_title(Objective(name="<b>", direction="minimize"), None) == f"← better  {html.escape('<b>')}"


def test_numbers_beside_points_avoid_each_other() -> None:
    points = [(50.0, 50.0), (52.0, 50.0), (99.0, 99.0)]
    sizes, gaps = [(10.0, 8.0)] * 3, [4.0] * 3
    sides = choose_sides(points, sizes, gaps, [(50.0, 60.0)], (100.0, 100.0))
    boxes = [label_box(*place) for place in zip(points, sides, sizes, gaps, strict=True)]
    for i, (left, bottom, right, top) in enumerate(boxes):
        assert left >= 0
        assert bottom >= 0
        assert right <= 100
        assert top <= 100
        for l, b, r, t in boxes[:i]:  # noqa: E741
            assert not (left < r and l < right and bottom < t and b < top)
