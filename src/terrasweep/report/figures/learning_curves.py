"""What validations found while the trials of the front were trained, against steps and against training seconds."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import qualitative

from terrasweep.measure.accuracy import ACCURACY
from terrasweep.measure.learning_curves import VAL_ACCURACY, VAL_LOSS, VAL_SECONDS
from terrasweep.measure.training_length import KEPT_STEPS
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import base_layout, hover_text
from terrasweep.report.labels import label, trial_name
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded

_SHOWN = 8
"""Curves that can still be told apart; the most accurate trials of a larger front have theirs."""
_COLOURS = qualitative.Safe


def learning_curves_section(outcome: StudyOutcome) -> FigureSection | None:
    """The curves of the front; None where no trial of it was validated before its end."""
    trials = [result for result in outcome.front if len(result.curves.get(VAL_ACCURACY, [])) > 1]
    trials = sorted(trials, key=lambda result: -(result.value(ACCURACY.name) or 0.0))[:_SHOWN]
    if not trials:
        return None
    accuracy = label(ACCURACY.name, outcome.accuracy_name)
    figures = [
        _figure(outcome, trials, VAL_ACCURACY, accuracy, "steps"),
        _figure(outcome, trials, VAL_ACCURACY, accuracy, "seconds"),
        _figure(outcome, trials, VAL_LOSS, "validation loss", "steps"),
        _figure(outcome, trials, VAL_LOSS, "validation loss", "seconds"),
    ]
    return FigureSection(
        anchor="learning-curves",
        heading="Learning curves",
        link="Curves",
        figures=figures,
        key=[],
        note="Of trials on the front. A ring marks the state that was kept and measured.",
    )


def _figure(outcome: StudyOutcome, trials: Sequence[TrialResult], curve: str, title: str, against: str) -> PageFigure:
    steps = "optimizer steps" if against == "steps" else "training time (s)"
    figure = go.Figure(layout=base_layout({"title": {"text": steps}}, {"title": {"text": title}}))
    for result, colour in zip(trials, _COLOURS, strict=False):
        seconds, kept = dict(result.curves.get(VAL_SECONDS, [])), result.value(KEPT_STEPS.name)
        places = {step: step for step in seconds} if against == "steps" else seconds
        points = [(step, value) for step, value in result.curves.get(curve, []) if step in places]
        figure.add_scatter(
            x=[places[step] for step, _ in points],
            y=[value for _, value in points],
            name=trial_name(result),
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={
                "size": [12 if step == kept else 4 for step, _ in points],
                "symbol": ["circle-open" if step == kept else "circle" for step, _ in points],
                "color": colour,
                "line": {"width": [2 if step == kept else 0 for step, _ in points]},
            },
            customdata=[
                f"{hover_text(outcome, result)}<br>after {step} steps, {title}: <b>{rounded(value)}</b>"
                for step, value in points
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    return PageFigure(
        anchor=f"{curve.replace('_', '-')}-by-{against}", title=f"{title} over {steps}", spec=figure.to_json()
    )
