"""The static figures: a panel per pair of objectives, the front's members by their numbers, the same file each time."""

import dataclasses
import itertools

import matplotlib as mpl
import pytest

from terrasweep.report.pareto_images import DPI, PANEL_INCHES, STYLE, _figure, write_static_figures
from terrasweep.report.study_outcome import summarize
from terrasweep.results.study_record import Objective
from tests.unit.report import sample_study as sample
from tests.unit.report.sample_study import random_study


def panels(outcome):
    return [ax for ax in _figure(outcome).axes if ax.axison]


@pytest.mark.parametrize(("objectives", "expected"), [(1, 1), (2, 1), (3, 3), (4, 6)])
def test_each_pair_of_objectives_has_its_panel(objectives, expected):
    assert len(panels(summarize(*random_study(objectives, 12)))) == expected


def test_places_that_no_pair_fills_are_blank():
    objectives = [Objective(name=name, direction="minimize") for name in "abcde"]
    trials = [sample.complete(i, {name: float(i) for name in "abcde"}) for i in range(3)]
    outcome = summarize(sample.record(objectives=objectives), trials)
    assert [ax.axison for ax in _figure(outcome).axes] == [True] * 10 + [False] * 2


def test_axes_are_titled_with_the_objectives_and_point_to_the_better_end():
    titles = [(ax.get_ylabel(), ax.get_xlabel()) for ax in panels(summarize(*sample.study()))]
    names = ["accuracy (mIoU) →", "throughput (samples/s) →", "← peak memory (MiB)"]
    assert titles == list(itertools.combinations(names, 2))


def test_every_trial_has_its_point_and_the_front_its_numbers():
    outcome = summarize(*sample.study())
    for ax, (first, second) in zip(panels(outcome), itertools.combinations(outcome.objectives, 2), strict=True):
        drawn = {line.get_label(): set(zip(*line.get_data(), strict=True)) for line in ax.lines}
        for name, trials in (("front", outcome.front), ("dominated", outcome.dominated), ("knee", [outcome.knee])):
            assert drawn[name] == {(result.value(second.name), result.value(first.name)) for result in trials}
        assert sorted(text.get_text() for text in ax.texts) == sorted(str(result.number) for result in outcome.front)


@pytest.mark.parametrize(("direction", "style"), [("maximize", "steps-pre"), ("minimize", "steps-post")])
def test_the_step_line_goes_through_the_worse_values(direction, style):
    objectives = [sample.OBJECTIVES[0], Objective(name="wall_seconds", direction=direction)]
    trials = [sample.complete(i, {"accuracy": 0.1 * i, "wall_seconds": 1.0 + i}) for i in range(3)]
    (ax,) = panels(summarize(sample.record(objectives=objectives), trials))
    (line,) = [line for line in ax.lines if line.get_label() == "front of the pair"]
    assert line.get_drawstyle() == style


def test_without_a_complete_trial_words_stand_in_its_place():
    (ax,) = _figure(summarize(sample.record(), [])).axes
    assert not ax.axison
    assert [text.get_text() for text in ax.texts] == ["No trial has completed."]


def test_the_image_has_its_size_for_print_and_matplotlib_s_settings_stay(tmp_path):
    before = {name: mpl.rcParams[name] for name in STYLE}
    write_static_figures(tmp_path, summarize(*sample.study()))
    assert {name: mpl.rcParams[name] for name in STYLE} == before != STYLE
    png = (tmp_path / "pareto.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == pytest.approx(3 * PANEL_INCHES[0] * DPI, abs=1)
    svg = (tmp_path / "pareto.svg").read_text()
    assert "<svg" in svg
    assert "<dc:date>" not in svg


def test_known_errors_are_bars_cut_where_they_would_squeeze_the_points():
    values = {"accuracy": 0.7, "throughput_samples_per_s": 100.0, "peak_memory_mib": 900.0}
    first = dataclasses.replace(sample.complete(0, values), quality_key="q", cost_key="c")
    probed = dataclasses.replace(first, probes=[{"throughput_samples_per_s": 101.0}])
    far = sample.complete(1, values | {"accuracy": 0.1, "throughput_samples_per_s": 200.0})
    for result, cut in (
        (probed, False),
        (dataclasses.replace(first, probes=[{"throughput_samples_per_s": 400.0}]), True),
    ):
        outcome = summarize(sample.record(), [result, far])
        across = panels(outcome)[0]
        bars = [
            line.get_xdata() for line in across.lines if line.get_label().startswith("_") and len(line.get_xdata()) == 2
        ]
        (low, high), (bar,) = outcome.interval(outcome.trials[0], "throughput_samples_per_s"), bars
        assert (tuple(bar) == (low, high)) != cut
        assert low <= bar[0] < bar[1] <= high
