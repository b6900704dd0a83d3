"""Parallel coordinates have every key, and their better ends on top."""

from __future__ import annotations

import json

import pytest

from terrasweep.report.figures.parallel_coordinates import parallel_figure
from terrasweep.report.study_outcome import summarize
from terrasweep.results.wording import rounded
from tests.unit.report import sample_study as sample
from tests.unit.report.sample_study import random_study


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
