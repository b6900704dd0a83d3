"""Parallel coordinates over the searched keys and the objectives.

Drawn as scatter lines: Plotly's own ``parcoords`` needs WebGL, which remote desktops, hardened browsers and print lack.
"""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from terrasweep.report.colours import COMPLETE_COLOUR, STATE_COLOURS
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import base_layout, hover_text
from terrasweep.report.labels import label
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.tables import searched_text
from terrasweep.results.front_within_errors import Place
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import ABSENT, rounded

MOST_CATEGORIES = 8
"""A numeric key with more distinct values gets a continuous axis."""
LOG_RATIO = 50.0
"""A positive key whose values span more than this ratio gets a logarithmic axis."""
SPREAD = 0.05
"""Height, of the axis' 1, over which lines through one category fan out."""
AXIS_WIDTH_PX = 118


@dataclass(frozen=True)
class Axis:
    """One vertical axis, from 0 at its foot to 1 at its top."""

    title: str
    heights: dict[int, float]
    """Height of each trial that has a value, by its position among the trials."""
    ticks: list[tuple[float, str]]


def parallel_section(outcome: StudyOutcome) -> FigureSection | None:
    """The searched settings with what they reach; None where there is no figure."""
    figure = parallel_figure(outcome)
    if figure is None:
        return None
    heading = "Settings and what they reach"
    return FigureSection(
        anchor="settings", heading=heading, link="Settings", figures=[figure], key=[], side_by_side=False
    )


def parallel_figure(outcome: StudyOutcome) -> PageFigure | None:
    """One line per trial; None where no key was searched or no trial has run."""
    if not outcome.trials or not outcome.searched_keys:
        return None
    axes = [_searched_axis(outcome, key) for key in outcome.searched_keys]
    if outcome.ranked:
        axes += [_objective_axis(outcome, index) for index in range(len(outcome.objectives))]
    figure = go.Figure(layout=base_layout(*_frame(axes)))
    for kind, style in _STYLES.items():
        first = True
        for position, result in enumerate(outcome.trials):
            if _kind(outcome, result) == kind:
                figure.add_scatter(
                    **_line(outcome, axes, position), name=kind, legendgroup=kind, showlegend=first, **style
                )
                first = False
    for x, axis in enumerate(axes):
        figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, line={"color": "#8a929c", "width": 1}, layer="below")
        for height, text in axis.ticks:
            place = {"x": x, "y": height, "xanchor": "left", "yanchor": "middle", "xshift": 4}
            figure.add_annotation(text=text, showarrow=False, font={"size": 11}, name="tick", **place)
    figure.update_layout(height=460, margin={"l": 48, "r": 72, "t": 52, "b": 16}, dragmode="select")
    figure.update_layout(legend={"y": -0.02, "yanchor": "top", "traceorder": "reversed"})
    note = (
        "Searched settings, then objectives with their better end on top. Lines of trials that did not complete end "
        "before the objectives. Drag a box over part of an axis to keep only the trials through it, in the table too; "
        "double-click to have all back. A click in the legend hides a group."
    )
    width = AXIS_WIDTH_PX * len(axes)
    return PageFigure(
        anchor="parallel", title="Parallel coordinates", note=note, spec=figure.to_json(), least_width_px=width
    )


_STYLES: dict[str, dict[str, Any]] = {
    "dominated": {"line": {"color": COMPLETE_COLOUR, "width": 1}, "opacity": 0.4, "marker": {"size": 4}},
    **{
        str(state): {"line": {"color": STATE_COLOURS[state], "width": 1.5, "dash": "dot"}, "marker": {"size": 5}}
        for state in (State.PRUNED, State.FAILED, State.INFEASIBLE)
    },
    "complete": {"line": {"color": COMPLETE_COLOUR, "width": 1, "dash": "dot"}, "marker": {"size": 4}},
    "tied": {"line": {"color": COMPLETE_COLOUR, "width": 1.5}, "opacity": 0.7, "marker": {"size": 5}},
    "front": {"line": {"color": COMPLETE_COLOUR, "width": 2.5}, "marker": {"size": 7}},
}
"""By kind of trial, from the back to the front; ``complete`` ones lack an objective."""


def _kind(outcome: StudyOutcome, result: TrialResult) -> str:
    standing = outcome.standing(result)
    if standing is None:
        return str(result.state)
    return "dominated" if standing.place is Place.BEATEN else str(standing.place)


def _line(outcome: StudyOutcome, axes: list[Axis], position: int) -> dict[str, Any]:
    """A trial's line over the axes that have a value of it."""
    result = outcome.trials[position]
    places = [(x, axis.heights[position]) for x, axis in enumerate(axes) if position in axis.heights]
    return {
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "mode": "lines+markers",
        "meta": result.number,
        "hovertext": hover_text(outcome, result),
        "hoverinfo": "text",
    }


def _frame(axes: list[Axis]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The horizontal axis carries the titles of the vertical ones."""
    xaxis = {
        "tickvals": list(range(len(axes))),
        "ticktext": [axis.title for axis in axes],
        "side": "top",
        "automargin": False,
        "range": [-0.15, len(axes) - 0.55],
        "tickangle": 0,
        "showline": False,
        "showgrid": False,
        "ticks": "",
        "fixedrange": True,
    }
    return xaxis, {"range": [-0.04, 1.04], "visible": False, "fixedrange": True}


def _searched_axis(outcome: StudyOutcome, key: str) -> Axis:
    title = html.escape(key).replace(".", ".<br>").replace("_", "_<wbr>")
    values = {i: result.searched.get(key) for i, result in enumerate(outcome.trials)}
    numbers = {i: float(v) for i, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    if len(numbers) == len(values) and len(set(numbers.values())) > MOST_CATEGORIES:
        return _continuous_axis(title, numbers)
    texts = {i: searched_text(result, key) or ABSENT for i, result in enumerate(outcome.trials)}
    offered = re.findall(r"[\w.+-]+", outcome.record.space.get(key, ""))
    return _category_axis(title, texts, sorted(set(texts.values()), key=lambda text: _category_order(text, offered)))


def _category_order(text: str, offered: list[str]) -> tuple[int, float, int, str]:
    """Absent first, then numbers by size, then names in the order in which the search space offers them."""
    if text == ABSENT:
        return 0, 0.0, 0, text
    try:
        return 1, float(text), 0, text
    except ValueError:
        return 2, 0.0, offered.index(text) if text in offered else len(offered), text


def _category_axis(title: str, texts: dict[int, str], categories: list[str]) -> Axis:
    """Categories at equal distances; the lines through one fan out a little, so that they can be told apart."""
    heights: dict[int, float] = {}
    centres = {category: (i + 0.5) / len(categories) for i, category in enumerate(categories)}
    for category, centre in centres.items():
        members = [i for i, text in texts.items() if text == category]
        for rank, member in enumerate(members):
            heights[member] = centre + SPREAD * ((rank + 0.5) / len(members) - 0.5)
    return Axis(title, heights, [(centre, html.escape(category)) for category, centre in centres.items()])


def _continuous_axis(title: str, values: dict[int, float], *, reverse: bool = False) -> Axis:
    logarithmic = min(values.values()) > 0 and max(values.values()) / min(values.values()) > LOG_RATIO and not reverse
    scaled = {i: math.log10(value) if logarithmic else value for i, value in values.items()}
    low, high = min(scaled.values()), max(scaled.values())

    def height(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return 1 - share if reverse else share

    marks = sorted({low, high, *(_round_marks(low, high))})
    ticks = [(height(mark), rounded(10**mark if logarithmic else mark)) for mark in marks]
    return Axis(title, {i: height(value) for i, value in scaled.items()}, ticks)


def _round_marks(low: float, high: float) -> list[float]:
    """Two to five round values inside a range, none of them close to its ends."""
    if high <= low:
        return []
    raw = (high - low) / 4
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    margin = 0.08 * (high - low)
    marks = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [mark for mark in marks if low + margin <= mark <= high - margin]


def _objective_axis(outcome: StudyOutcome, index: int) -> Axis:
    objective = outcome.objectives[index]
    title = html.escape(label(objective.name, outcome.accuracy_name)).replace(" (", "<br>(")
    ranked = {id(result) for result in outcome.ranked}
    values = {i: r.value(objective.name) or 0.0 for i, r in enumerate(outcome.trials) if id(r) in ranked}
    return _continuous_axis(title, values, reverse=not objective.maximize)
