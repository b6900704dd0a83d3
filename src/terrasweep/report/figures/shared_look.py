"""What the interactive figures share: their layout, the titles of axes, and what a trial says under the mouse."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from terrasweep.report.labels import label, trial_name
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded


def base_layout(xaxis: dict[str, Any], yaxis: dict[str, Any]) -> go.Layout:
    """The look that all figures share; the page's script sets the colours of light and dark."""
    axis = {"showline": True, "ticks": "outside", "ticklen": 4, "zeroline": False, "automargin": True, "nticks": 7}
    return go.Layout(
        template="none",
        height=400,
        margin={"l": 64, "r": 16, "t": 28, "b": 52},
        font={
            "family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
            "size": 13,
        },
        hovermode="closest",
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 12}},
        xaxis=axis | xaxis,
        yaxis=axis | yaxis,
        xaxis_title_font_size=13,
        yaxis_title_font_size=13,
    )


def hover_text(outcome: StudyOutcome, result: TrialResult) -> str:
    """The trial, its state, what it reached and what was searched; values come from outside and are escaped."""
    kind = str(result.reason or result.state)
    if standing := outcome.comparison.standing_text(outcome.place(result)):
        kind = {"front": "on the front"}.get(standing, standing)
        kind = "knee of the front" if result is outcome.knee else kind
    measured = [
        f"{html.escape(label(objective.name, outcome.accuracy_name))}: <b>{outcome.shown(result, objective.name)}</b>"
        for objective in outcome.objectives
        if result.value(objective.name) is not None
    ]
    searched = [f"{html.escape(key)} = {html.escape(_shown(value))}" for key, value in result.searched.items()]
    return "<br>".join([f"<b>{trial_name(result)}</b>, {html.escape(kind)}", *measured, *searched])


def _shown(value: Any) -> str:
    return rounded(value) if isinstance(value, float) else str(value)


def axis_title(objective: Objective, accuracy_name: str | None) -> str:
    """Name, unit and which way is better."""
    name = html.escape(label(objective.name, accuracy_name))
    return f"{name}  better →" if objective.maximize else f"← better  {name}"


def add_trials(
    figure: go.Figure,
    outcome: StudyOutcome,
    trials: Sequence[TrialResult],
    *,
    x: Sequence[float | None],
    y: Sequence[float | None],
    name: str,
    marker: dict[str, Any],
    **trace: Any,
) -> None:
    """Add one marker per trial that answers to the mouse; nothing where there is no trial."""
    if trials:
        figure.add_scatter(
            x=list(x),
            y=list(y),
            name=name,
            marker=marker,
            customdata=[hover_text(outcome, result) for result in trials],
            hovertemplate="%{customdata}<extra></extra>",
            **{"mode": "markers", **trace},
        )
