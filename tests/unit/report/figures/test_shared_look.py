"""What a trial says under the mouse, and which way is better."""

import dataclasses

import plotly.graph_objects as go
import pytest

from terrasweep.report.figures.shared_look import add_trials, axis_title, base_layout, hover_text
from terrasweep.report.study_outcome import summarize
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from tests.unit.report import sample_study as sample

ACCURACY = Objective(name="accuracy", direction="maximize")


@pytest.mark.parametrize(
    ("name", "direction", "expected"),
    [
        ("<b>", "minimize", "← better  &lt;b&gt;"),
        ("accuracy", "maximize", "accuracy (mIoU)  better →"),
        ("peak_memory_mib", "minimize", "← better  peak memory (MiB)"),
    ],
)
def test_an_axis_points_to_the_better_end(name, direction, expected):
    assert axis_title(Objective(name=name, direction=direction), "mIoU") == expected


def test_a_trial_says_where_it_stands_what_it_reached_and_what_was_searched():
    outcome = summarize(*sample.study())
    told = hover_text(outcome, outcome.knee).split("<br>")
    assert told[0] == f"<b>trial {outcome.knee.number}</b>, knee of the front"
    assert len(told) == 1 + len(outcome.objectives) + len(outcome.knee.searched)
    other = next(result for result in outcome.front if result is not outcome.knee)
    assert hover_text(outcome, other).startswith(f"<b>trial {other.number}</b>, on the front<br>")
    beaten = outcome.dominated[0]
    winner = outcome.trials[outcome.standing(beaten).other].number
    assert hover_text(outcome, beaten).split("<br>")[0] == f"<b>trial {beaten.number}</b>, beaten by {winner}"
    crashed = hover_text(outcome, outcome.trials[17]).split("<br>")
    assert crashed == ["<b>trial 17</b>, crashed", *(f"{k} = {v}" for k, v in outcome.trials[17].searched.items())]


def test_what_comes_from_outside_is_escaped_and_floats_are_rounded():
    searched = {"<key>": "<i>value</i>", "train.lr": 0.000123456}
    trial = dataclasses.replace(sample.complete(0, {}, **searched), state=State.PRUNED, reason=Reason.PRUNER)
    told = hover_text(summarize(sample.record(objectives=[ACCURACY]), [trial]), trial)
    assert "&lt;key&gt; = &lt;i&gt;value&lt;/i&gt;" in told
    assert "train.lr = 0.0001235" in told


def test_a_marker_per_trial_answers_to_the_mouse_and_no_trial_adds_nothing():
    outcome, figure = summarize(*sample.study()), go.Figure()
    add_trials(figure, outcome, [], x=[], y=[], name="none", marker={})
    assert len(figure.data) == 0
    trials = outcome.front
    add_trials(figure, outcome, trials, x=range(len(trials)), y=range(len(trials)), name="front", marker={})
    (trace,) = figure.data
    assert list(trace.customdata) == [hover_text(outcome, result) for result in trials]
    assert trace.mode == "markers"


def test_a_figure_s_axes_have_the_shared_look_but_for_what_they_say_themselves():
    layout = base_layout({"title": {"text": "trial"}, "ticks": ""}, {})
    assert (layout.xaxis.title.text, layout.xaxis.ticks, layout.yaxis.ticks) == ("trial", "", "outside")
    assert layout.xaxis.title.font.size == layout.yaxis.title.font.size
