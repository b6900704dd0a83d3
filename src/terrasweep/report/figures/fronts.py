"""Interactive figures of the objectives' values: a scatter for each pair of them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import plotly.graph_objects as go

from terrasweep.measure.catalog import measurement_or_metric
from terrasweep.report.colours import COMPLETE_COLOUR, KNEE_COLOUR, STATE_COLOURS
from terrasweep.report.figures.figure_section import FigureSection, KeyMark, PageFigure
from terrasweep.report.figures.shared_look import add_trials, axis_title, base_layout
from terrasweep.report.number_placement import choose_sides
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.ties import front_ties, resolution_note
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult

MOST_LABELS = 25
"""A front with more members is not labelled with trial numbers; hovering still names them."""

_DOMINATED = {"symbol": "circle-open", "size": 8, "color": COMPLETE_COLOUR, "opacity": 0.6}
_TIED = {"symbol": "circle", "size": 7, "color": COMPLETE_COLOUR, "opacity": 0.45}
_FRONT = {"symbol": "circle", "size": 11, "color": COMPLETE_COLOUR, "line": {"color": "white", "width": 1}}
_BAR = {"type": "data", "symmetric": False, "color": COMPLETE_COLOUR, "thickness": 1.2, "width": 3}
_KNEE = {"symbol": "circle-open", "size": 17, "color": KNEE_COLOUR, "line": {"width": 3}}
_RUG_AXIS = {"range": [0, 1], "fixedrange": True, "visible": False}
"""An invisible axis over the other one, so that a rug stays at the edge whatever is zoomed."""


def fronts_section(outcome: StudyOutcome) -> FigureSection:
    """The figures with what their marks mean; a sentence where nothing has completed."""
    pairs, marked = len(outcome.objectives) > 1, marked_states(outcome)
    bounds = "; the dotted line bounds what is reached in the two objectives shown" if pairs else ""
    unfinished = (
        "Crosses are trials that did not complete, ticks at an edge those that measured one of the two values; "
        "double-click a figure to see any beyond its frame."
        if marked and pairs
        else ""
    )
    note = (
        f"Filled points are not dominated over all objectives{_within(outcome)}{bounds}. Hover over a point for its "
        f"settings. {unfinished}"
    )
    return FigureSection(
        anchor="fronts",
        heading="Fronts",
        link="Fronts",
        figures=pair_figures(outcome),
        note=note.strip(),
        remarks=[*filter(None, [resolution_note(outcome)]), *front_ties(outcome)],
        key=_key(marked, pairs=pairs, tied=bool(outcome.tied)),
        empty="No trial has completed, so there is no front.",
    )


def _within(outcome: StudyOutcome) -> str:
    """What the errors do to the front and its points, where some are known."""
    ties = "; faint ones can't be told from one of them, which stands for them" if outcome.tied else ""
    known = any(outcome.interval(result, o.name) for result in outcome.front for o in outcome.objectives)
    return f" within the errors, which bars show as 95 % intervals{ties}" if known else ties


def _key(marked: list[State], *, pairs: bool, tied: bool) -> list[KeyMark]:
    points = [
        KeyMark(shape="dot", colour="complete", meaning="front"),
        *([KeyMark(shape="dot faint", colour="complete", meaning="tied")] if tied else []),
        KeyMark(shape="dot ring", colour="complete", meaning="dominated"),
    ]
    of_pairs = [
        KeyMark(shape="dot big", colour="knee", meaning="knee"),
        KeyMark(shape="dots", colour="complete", meaning="front of the pair"),
        *(KeyMark(shape="cross and tick", colour=str(state), meaning=str(state)) for state in marked),
    ]
    return [*points, *of_pairs] if pairs else points


def pair_figures(outcome: StudyOutcome) -> list[PageFigure]:
    """A scatter per pair of objectives; with one objective, its values over the trials."""
    if not outcome.ranked:
        return []
    if len(outcome.objectives) == 1:
        return [_single_objective(outcome)]
    return [_pair(outcome, first, second) for first, second in combinations(range(len(outcome.objectives)), 2)]


def marked_states(outcome: StudyOutcome) -> list[State]:
    """States, other than complete, of trials that have a value of an objective and so a mark in the figures."""
    names = [objective.name for objective in outcome.objectives]
    measured = (r.state for r in outcome.trials if any(r.value(name) is not None for name in names))
    return [state for state in dict.fromkeys(measured) if state is not State.COMPLETE]


def _pair(outcome: StudyOutcome, first: int, second: int) -> PageFigure:
    """The first objective over the second one."""
    y, x = outcome.objectives[first], outcome.objectives[second]
    titles = [axis_title(objective, outcome.accuracy_name) for objective in (x, y)]
    ranges = [_range(outcome, objective.name) for objective in (x, y)]
    axes = [{"title": {"text": title}, "range": range_} for title, range_ in zip(titles, ranges, strict=True)]
    figure = go.Figure(layout=base_layout(axes[0], axes[1]))
    figure.update_layout(showlegend=False)
    _add_unranked(figure, outcome, x.name, y.name)
    _add_values(figure, outcome, outcome.dominated, x.name, y.name, "dominated", _DOMINATED)
    _add_values(figure, outcome, outcome.tied, x.name, y.name, "tied with the front", _TIED)
    members = outcome.pair_front(first, second)
    figure.add_scatter(
        x=[result.value(x.name) for result in members],
        y=[result.value(y.name) for result in members],
        mode="lines",
        # The line bounds what the members dominate: a step goes through the worse value of each coordinate.
        line={"color": COMPLETE_COLOUR, "width": 1.5, "dash": "dot", "shape": "vh" if x.maximize else "hv"},
        name="front of this pair",
        hoverinfo="skip",
    )
    numbers = _number_labels(outcome, (x.name, y.name), ranges)
    # The knee's number stands outside its ring.
    beside = [
        ("" if r is outcome.knee else text, place) for r, (text, place) in zip(outcome.front, numbers, strict=False)
    ]
    _add_values(
        figure,
        outcome,
        outcome.front,
        x.name,
        y.name,
        "front of all objectives",
        _FRONT,
        **_labels(beside),
        **_bars(outcome, x.name, y.name),
    )
    if outcome.knee is not None:
        knee = _labels([numbers[outcome.front.index(outcome.knee)]]) if numbers else {}
        _add_values(figure, outcome, [outcome.knee], x.name, y.name, "knee", _KNEE, **knee)
    title = " against ".join(measurement_or_metric(objective.name).label for objective in (y, x))
    return PageFigure(anchor=f"pair-{first}-{second}", title=title, spec=figure.to_json())


def _bars(outcome: StudyOutcome, x: str, y: str) -> dict[str, Any]:
    """A trace's settings for the 95 % intervals of the front's values; nothing where none is known."""
    bars = {}
    for axis, name in (("x", x), ("y", y)):
        ends = [outcome.interval(result, name) for result in outcome.front]
        values = [result.value(name) or 0.0 for result in outcome.front]
        if any(ends):
            bars[f"error_{axis}"] = _BAR | {
                "array": [end and end[1] - value for end, value in zip(ends, values, strict=True)],
                "arrayminus": [end and value - end[0] for end, value in zip(ends, values, strict=True)],
            }
    return bars


def _range(outcome: StudyOutcome, name: str) -> list[float]:
    """The frame: all complete trials, and the others and the bars as far as they don't squeeze these."""
    ranked = [value for result in outcome.ranked if (value := result.value(name)) is not None]
    low, high = min(ranked), max(ranked)
    span = (high - low) or abs(high) or 1.0
    ends = (end for result in outcome.front for end in outcome.interval(result, name) or ())
    known = [*(result.value(name) for result in outcome.trials), *ends]
    near = [value for value in known if value is not None and low - 0.5 * span <= value <= high + 0.5 * span]
    return [min(near) - 0.08 * span, max(near) + 0.08 * span]


def _number_labels(outcome: StudyOutcome, names: tuple[str, str], ranges: list[list[float]]) -> list[tuple[str, str]]:
    """The number of each front member and Plotly's word for its place, chosen for a frame of the usual size.

    Empty for a front with too many members to label.
    """
    if len(outcome.front) > MOST_LABELS:
        return []
    frame = (300.0, 290.0)
    drawn = [*outcome.front, *outcome.tied, *outcome.dominated]
    points = [*(_point(result, names) for result in drawn), *outcome.bar_points(*names)]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        shares = ((value - low) / (high - low) for value, (low, high) in zip(point, ranges, strict=True))
        across, up = (share * size for share, size in zip(shares, frame, strict=True))
        return across, up

    places = [place(point) for point in points]
    texts = [str(result.number) for result in outcome.front]
    sizes = [(7.0 * len(text), 11.0) for text in texts]
    gaps = [9.0 if result is outcome.knee else 6.0 for result in outcome.front]
    sides = choose_sides(places[: len(texts)], sizes, gaps, places[len(texts) :], frame)
    words = (f"{('bottom', 'middle', 'top')[up + 1]} {('left', 'center', 'right')[right + 1]}" for right, up in sides)
    return list(zip(texts, words, strict=True))


def _point(result: TrialResult, names: tuple[str, str]) -> tuple[float, float]:
    return result.value(names[0]) or 0.0, result.value(names[1]) or 0.0


def _labels(numbers: list[tuple[str, str]]) -> dict[str, Any]:
    """A trace's settings for labels."""
    if not numbers:
        return {}
    texts, places = zip(*numbers, strict=True)
    # A number above the best point may reach over the frame, and is whole there.
    look = {"textfont": {"size": 11}, "cliponaxis": False}
    return {"mode": "markers+text", "text": texts, "textposition": places, **look}


def _add_unranked(figure: go.Figure, outcome: StudyOutcome, x: str, y: str) -> None:
    """Crosses for trials that measured both values but don't count, and a rug where only one is known."""
    unranked = [result for result in outcome.trials if result.state is not State.COMPLETE]
    for state in dict.fromkeys(result.state for result in unranked):
        mine = [result for result in unranked if result.state is state]
        colour = STATE_COLOURS[state]
        both = [r for r in mine if r.value(x) is not None and r.value(y) is not None]
        _add_values(figure, outcome, both, x, y, str(state), {"symbol": "x", "size": 9, "color": colour})
        name = f"{state}, one value known"
        below = [r for r in mine if r.value(x) is not None and r.value(y) is None]
        marker = {"symbol": "line-ns-open", "size": 16, "color": colour, "line": {"width": 2}}
        if below:
            figure.update_layout(yaxis2={"overlaying": "y", **_RUG_AXIS})
            edge, values = [0.0] * len(below), [r.value(x) for r in below]
            add_trials(figure, outcome, below, x=values, y=edge, name=name, marker=marker, yaxis="y2")
        left = [r for r in mine if r.value(x) is None and r.value(y) is not None]
        if left:
            figure.update_layout(xaxis2={"overlaying": "x", **_RUG_AXIS})
            edge, values = [0.0] * len(left), [r.value(y) for r in left]
            marker = marker | {"symbol": "line-ew-open"}
            add_trials(figure, outcome, left, x=edge, y=values, name=name, marker=marker, xaxis="x2")


def _add_values(
    figure: go.Figure,
    outcome: StudyOutcome,
    trials: list[TrialResult],
    x: str,
    y: str,
    name: str,
    marker: dict[str, Any],
    **trace: Any,
) -> None:
    places = {"x": [result.value(x) for result in trials], "y": [result.value(y) for result in trials]}
    add_trials(figure, outcome, trials, name=name, marker=marker, **places, **trace)


def _single_objective(outcome: StudyOutcome) -> PageFigure:
    """The only objective over the trials, with the best so far."""
    objective = outcome.objectives[0]
    title = axis_title(objective, outcome.accuracy_name)
    figure = go.Figure(layout=base_layout({"title": {"text": "trial"}}, {"title": {"text": title}}))
    best = max if objective.maximize else min
    values = [result.value(objective.name) or 0.0 for result in outcome.ranked]
    figure.update_layout(showlegend=False)
    figure.add_scatter(
        x=[result.number for result in outcome.ranked],
        y=[best(values[: i + 1]) for i in range(len(values))],
        mode="lines",
        line={"color": COMPLETE_COLOUR, "width": 1.5, "dash": "dot", "shape": "hv"},
        name="best so far",
        hoverinfo="skip",
    )
    kinds = (
        (outcome.dominated, "complete", _DOMINATED),
        (outcome.tied, "tied", _TIED),
        (outcome.front, "best", _FRONT),
    )
    for trials, name, marker in kinds:
        numbers = [result.number for result in trials]
        reached = [result.value(objective.name) for result in trials]
        bars = (
            {"error_y": both} if name == "best" and (both := _bars(outcome, "", objective.name).get("error_y")) else {}
        )
        add_trials(figure, outcome, trials, x=numbers, y=reached, name=name, marker=marker, **bars)
    title = f"{measurement_or_metric(objective.name).label} over trials"
    return PageFigure(anchor="objective", title=title, spec=figure.to_json())
