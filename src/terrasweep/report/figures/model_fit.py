"""Measured over expected numbers: how well the search's models knew what a trial would come to."""

from __future__ import annotations

import plotly.graph_objects as go

from terrasweep.report.colours import COMPLETE_COLOUR
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import add_trials, base_layout
from terrasweep.report.model_fit import FIT_COLUMNS, ModelFit, fit_rows, model_fits
from terrasweep.report.study_outcome import StudyOutcome


def model_fit_section(outcome: StudyOutcome) -> FigureSection | None:
    """A figure for each objective, and their table; None where the sampler has no models."""
    fits = model_fits(outcome)
    if not fits:
        return None
    return FigureSection(
        anchor="model-fit",
        heading="What the search expected",
        link="Expectations",
        figures=[model_fit_figure(outcome, fit) for fit in fits],
        note="What was expected of each trial before it ran, and what it measured. On the line both are the same; bars "
        "are one standard deviation.",
        remarks=[fit.as_text() for fit in fits],
        key=[],
        columns=FIT_COLUMNS,
        rows=fit_rows(outcome),
    )


def model_fit_figure(outcome: StudyOutcome, fit: ModelFit) -> PageFigure:
    """One point for each trial, beside the line on which it was expected."""
    figure = go.Figure(
        layout=base_layout({"title": {"text": f"expected {fit.label}"}}, {"title": {"text": f"measured {fit.label}"}})
    )
    ends = [function(value for p in fit.pairs for value in (p.expected, p.measured)) for function in (min, max)]
    look = {"color": COMPLETE_COLOUR, "width": 1, "dash": "dot"}
    figure.add_scatter(x=ends, y=ends, mode="lines", line=look, hoverinfo="skip")
    add_trials(
        figure,
        outcome,
        [pair.trial for pair in fit.pairs],
        x=[pair.expected for pair in fit.pairs],
        y=[pair.measured for pair in fit.pairs],
        name="trials",
        marker={"color": COMPLETE_COLOUR, "size": 9, "line": {"color": "white", "width": 1}},
        error_x={
            "type": "data",
            "array": [pair.high - pair.expected for pair in fit.pairs],
            "arrayminus": [pair.expected - pair.low for pair in fit.pairs],
            "thickness": 1,
            "width": 0,
        },
    )
    figure.update_layout(showlegend=False)
    place = [objective.name for objective in outcome.objectives].index(fit.name)
    return PageFigure(
        anchor=f"model-fit-{place}",
        title=f"Measured over expected {fit.label}",
        alternative=fit.as_text(),
        spec=figure.to_json(),
    )
