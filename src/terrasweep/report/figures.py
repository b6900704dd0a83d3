"""Interactive figures: what they share, the hypervolume over the trials, and the importances."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from terrasweep.report.labels import STATE_COLOURS, label, rounded, shown, trial_name
from terrasweep.report.outcome import StudyOutcome
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

COMPLETE_COLOUR = STATE_COLOURS[State.COMPLETE]


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page."""

    anchor: str
    """Its element's id."""
    title: str
    note: str
    """What to look at, in a sentence."""
    spec: str
    """Plotly's data and layout as JSON."""
    least_width_px: int = 0
    """Narrower screens scroll it sideways."""


def hypervolume_figure(outcome: StudyOutcome) -> PageFigure | None:
    """The hypervolume after each trial; None without a complete one."""
    steps = [step for step in zip(outcome.trials, outcome.hypervolume, strict=False) if step[0].number is not None]
    if not steps:
        return None
    before = [0.0, *(volume for _, volume in steps)]
    gained = [volume > previous for (_, volume), previous in zip(steps, before, strict=False)]
    figure = go.Figure(layout=base_layout({"title": {"text": "trial"}}, {"title": {"text": "hypervolume"}}))
    figure.add_scatter(
        x=[result.number for result, _ in steps],
        y=[volume for _, volume in steps],
        mode="lines+markers",
        line={"color": COMPLETE_COLOUR, "width": 2, "shape": "hv"},
        marker={"size": [9 if gain else 0 for gain in gained], "line": {"color": "white", "width": 1}},
        customdata=[f"{hover_text(outcome, r)}<br>hypervolume: <b>{rounded(volume)}</b>" for r, volume in steps],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(showlegend=False)
    worst = ", ".join(f"{label(n, outcome.accuracy_name)} {rounded(w)}" for n, (w, _) in outcome.reference.items())
    note = (
        f"The part of objective space that the front dominates, seen from the study's fixed reference point: {worst}."
    )
    return PageFigure("hypervolume", "Hypervolume over trials", note, figure.to_json())


def importance_figure(anchor: str, name: str, importances: dict[str, float]) -> PageFigure:
    """Bars of the parameter importances for one objective, the largest on top."""
    ordered = sorted(importances.items(), key=lambda item: item[1])
    figure = go.Figure(layout=base_layout({"title": "share of the explained variance"}, {}))
    figure.add_bar(
        x=[share for _, share in ordered],
        y=[html.escape(key) for key, _ in ordered],
        orientation="h",
        marker={"color": COMPLETE_COLOUR},
        text=[f"{share:.0%}" for _, share in ordered],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%")
    figure.update_yaxes(type="category", showgrid=False, ticksuffix="  ", dtick=1)
    figure.update_layout(showlegend=False, height=64 + 34 * len(ordered), margin_t=8)
    return PageFigure(anchor, name, "", figure.to_json())


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
    if result in outcome.front:
        kind = "knee of the front" if result is outcome.knee else "on the front"
    measured = [
        f"{html.escape(label(objective.name, outcome.accuracy_name))}: <b>{rounded(value)}</b>"
        for objective in outcome.objectives
        if (value := result.value(objective.name)) is not None
    ]
    searched = [f"{html.escape(key)} = {html.escape(shown(value))}" for key, value in result.searched.items()]
    return "<br>".join([f"<b>{trial_name(result)}</b>, {html.escape(kind)}", *measured, *searched])


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
