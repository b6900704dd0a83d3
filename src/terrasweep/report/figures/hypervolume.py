"""The hypervolume over the trials: how much the search has gained, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from terrasweep.report.colours import COMPLETE_COLOUR
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import base_layout, hover_text
from terrasweep.report.labels import label
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.proposed import share_left
from terrasweep.results.wording import percent, rounded

_FEW = 8
"""Trials between which an axis would get ticks at halves."""


_PROMISE = (
    " The dotted line adds what the best candidate promised beyond the errors when the trial was proposed: what was "
    "left to gain."
)


def hypervolume_section(outcome: StudyOutcome) -> FigureSection | None:
    """The study's progress; None without a complete trial."""
    figure = hypervolume_figure(outcome)
    if figure is None:
        return None
    return FigureSection(
        anchor="progress", heading="Progress", link="Progress", figures=[figure], key=[], side_by_side=False
    )


def hypervolume_figure(outcome: StudyOutcome) -> PageFigure | None:
    """The hypervolume after each trial; None without a complete one."""
    steps = [step for step in zip(outcome.trials, outcome.hypervolume, strict=False) if step[0].number is not None]
    if not steps:
        return None
    before = [0.0, *(volume for _, volume in steps)]
    gained = [volume > previous for (_, volume), previous in zip(steps, before, strict=False)]
    trials: dict[str, Any] = {"title": {"text": "trial"}}
    if len(steps) <= _FEW:
        trials["dtick"] = 1
    figure = go.Figure(layout=base_layout(trials, {"title": {"text": "hypervolume"}}))
    figure.add_scatter(
        x=[result.number for result, _ in steps],
        y=[volume for _, volume in steps],
        mode="lines+markers",
        line={"color": COMPLETE_COLOUR, "width": 2, "shape": "hv"},
        marker={"size": [9 if gain else 0 for gain in gained], "line": {"color": "white", "width": 1}},
        customdata=[f"{hover_text(outcome, r)}<br>hypervolume: <b>{rounded(volume)}</b>" for r, volume in steps],
        hovertemplate="%{customdata}<extra></extra>",
    )
    left = [
        (result.number, previous + share * previous, share)
        for (result, _), previous in zip(steps, before, strict=False)
        if (share := share_left(outcome.own(result).proposed)) is not None and previous > 0
    ]
    if left:
        _add_promise(figure, left)
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(showlegend=False)
    worst = ", ".join(f"{label(n, outcome.accuracy_name)} {rounded(w)}" for n, (w, _) in outcome.reference.items())
    note = (
        f"The part of objective space that the front dominates, seen from the study's fixed reference point: {worst}."
        f"{_PROMISE if left else ''}"
    )
    return PageFigure(anchor="hypervolume", title="Hypervolume over trials", note=note, spec=figure.to_json())


def _add_promise(figure: go.Figure, left: Sequence[tuple[int | None, float, float]]) -> None:
    """Add what was left to gain: number of the trial, the hypervolume that it would have come to, and the share."""
    figure.add_scatter(
        x=[number for number, _, _ in left],
        y=[volume for _, volume, _ in left],
        mode="lines+markers",
        line={"color": COMPLETE_COLOUR, "width": 1, "dash": "dot", "shape": "hv"},
        marker={"size": 4},
        customdata=[f"<b>trial {number}</b><br>left to gain: <b>{percent(share)}</b>" for number, _, share in left],
        hovertemplate="%{customdata}<extra></extra>",
    )
