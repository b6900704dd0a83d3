"""``pareto.png`` and ``pareto.svg``: the fronts for a paper or a pull request."""

from __future__ import annotations

import io
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke

from terrasweep.machine.files import write_atomically
from terrasweep.report.colours import COMPLETE_COLOUR, KNEE_COLOUR
from terrasweep.report.labels import label
from terrasweep.report.number_placement import choose_sides
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.trial_result import TrialResult

MOST_COLUMNS = 3
PANEL_INCHES = (2.5, 2.35)
"""Three panels fill the text width of a two-column page and read at its font size."""
DPI = 300
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    # Names of studies and metrics are text, not formulas.
    "text.parse_math": False,
    # The same study gives the same file.
    "svg.hashsalt": "terrasweep",
}


def write_static_figures(folder: Path, outcome: StudyOutcome) -> None:
    """Write ``pareto.png`` and ``pareto.svg``: every pair of objectives, the front's members by their numbers."""
    with mpl.rc_context(STYLE):
        figure = _figure(outcome)
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None})
    write_atomically(folder / "pareto.png", png.getvalue())
    write_atomically(folder / "pareto.svg", svg.getvalue())


def _figure(outcome: StudyOutcome) -> Figure:
    pairs = list(combinations(range(len(outcome.objectives)), 2)) if outcome.ranked else []
    panels = max(1, len(pairs))
    columns = min(panels, MOST_COLUMNS)
    rows = math.ceil(panels / columns)
    size = (max(PANEL_INCHES[0] * columns, 3.4), PANEL_INCHES[1] * rows + 0.35)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(wspace=0.06))
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for pair, ax in zip(pairs, axes, strict=False):
        _draw_pair(ax, outcome, *pair)
    for ax in axes[len(pairs) :] if pairs else []:
        ax.set_axis_off()
    if not outcome.ranked:
        _say_nothing_completed(figure.axes[0])
    elif not pairs:
        _draw_single(figure.axes[0], outcome)
    if pairs:
        handles, names = figure.axes[0].get_legend_handles_labels()
        columns = 4 if len(names) < 5 else 5 if panels > 1 else 3
        place: Any = {"loc": "outside upper center", "ncols": columns, "frameon": False}
        figure.legend(handles, names, **place, fontsize=7.5, handlelength=1.6)
    figure.draw_without_rendering()
    for pair, ax in zip(pairs, figure.axes, strict=False):
        _label_front(ax, outcome, *pair)
    return figure


def _draw_pair(ax: Axes, outcome: StudyOutcome, first: int, second: int) -> None:
    y, x = outcome.objectives[first], outcome.objectives[second]
    members = outcome.pair_front(first, second)
    steps = _values(members, x.name), _values(members, y.name)
    # As on the page: a step goes through the worse value of each coordinate.
    style = "steps-pre" if x.maximize else "steps-post"
    dominated = _values(outcome.dominated, x.name), _values(outcome.dominated, y.name)
    on_front = _values(outcome.front, x.name), _values(outcome.front, y.name)
    ax.plot(*on_front, "o", ms=5.5, mfc=COMPLETE_COLOUR, mec="white", mew=0.6, zorder=3, label="front")
    tied = _values(outcome.tied, x.name), _values(outcome.tied, y.name)
    if outcome.tied:
        ax.plot(*tied, "o", ms=4, mfc=COMPLETE_COLOUR, mec="none", alpha=0.45, label="tied", zorder=2)
    _draw_bars(ax, outcome, x.name, y.name)
    ax.plot(*dominated, "o", ms=4, mfc="none", mec=COMPLETE_COLOUR, mew=0.8, alpha=0.6, label="dominated", zorder=2)
    ax.plot(*steps, drawstyle=style, color=COMPLETE_COLOUR, lw=0.9, ls=":", zorder=1, label="front of the pair")
    if outcome.knee is not None:
        knee = _values([outcome.knee], x.name), _values([outcome.knee], y.name)
        ax.plot(*knee, "o", ms=9.5, mfc="none", mec=KNEE_COLOUR, mew=1.6, zorder=4, label="knee")
    ax.margins(0.12)
    ax.set_xlabel(_axis_label(outcome, second))
    ax.set_ylabel(_axis_label(outcome, first))


def _draw_bars(ax: Axes, outcome: StudyOutcome, x: str, y: str) -> None:
    """The 95 % intervals of the front's values, cut where they would squeeze the points."""
    for result in outcome.front:
        place = result.value(x) or 0.0, result.value(y) or 0.0
        if across := _cut_interval(outcome, result, x):
            ax.plot(across, [place[1]] * 2, **_BAR)
        if up := _cut_interval(outcome, result, y):
            ax.plot([place[0]] * 2, up, **_BAR)


def _cut_interval(outcome: StudyOutcome, result: TrialResult, name: str) -> tuple[float, float] | None:
    ends, values = outcome.interval(result, name), _values(outcome.ranked, name)
    span = (max(values) - min(values)) or abs(max(values))
    return ends and (max(ends[0], min(values) - span / 2), min(ends[1], max(values) + span / 2))


def _draw_single(ax: Axes, outcome: StudyOutcome) -> None:
    name = outcome.objectives[0].name
    for trials, fill in (([*outcome.dominated, *outcome.tied], "none"), (outcome.front, COMPLETE_COLOUR)):
        known = [result for result in trials if result.number is not None]
        numbers = [float(result.number or 0) for result in known]
        ax.plot(numbers, _values(known, name), "o", ms=5, mfc=fill, mec=COMPLETE_COLOUR, mew=0.8)
    ax.set_xlabel("trial")
    ax.set_ylabel(_axis_label(outcome, 0))


def _say_nothing_completed(ax: Axes) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, "No trial has completed.", ha="center", va="center", transform=ax.transAxes)


def _axis_label(outcome: StudyOutcome, index: int) -> str:
    objective = outcome.objectives[index]
    name = label(objective.name, outcome.accuracy_name)
    return f"{name} →" if objective.maximize else f"← {name}"


def _values(trials: list[TrialResult], name: str) -> list[float]:
    return [value for result in trials if (value := result.value(name)) is not None]


def _label_front(ax: Axes, outcome: StudyOutcome, first: int, second: int) -> None:
    """Write each front member's number beside its point; distances are in points of 1/72 inch."""
    drawn = [*outcome.front, *outcome.tied, *outcome.dominated]
    x, y = outcome.objectives[second].name, outcome.objectives[first].name
    places = [*zip(_values(drawn, x), _values(drawn, y), strict=True), *outcome.bar_points(x, y)]
    per_pixel = 72 / ax.figure.dpi
    to_points = [(ax.transData.transform(place) - ax.bbox.p0) * per_pixel for place in places]
    positions = [(float(across), float(up)) for across, up in to_points]
    texts = ["" if result.number is None else str(result.number) for result in outcome.front]
    sizes = [(3.8 * len(text), 6.0) for text in texts]
    gaps = [6.0 if result is outcome.knee else 3.4 for result in outcome.front]
    members = len(outcome.front)
    frame = (ax.bbox.width * per_pixel, ax.bbox.height * per_pixel)
    sides = choose_sides(positions[:members], sizes, gaps, positions[members:], frame)
    for text, place, side, size, gap in zip(texts, places, sides, sizes, gaps, strict=False):
        offset = [side[i] * (size[i] / 2 + gap) for i in (0, 1)]
        middle: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "textcoords": "offset points",
            "path_effects": [_HALO],
        }
        ax.annotate(text, place, xytext=(offset[0], offset[1]), fontsize=6.5, color="#1c2126", zorder=5, **middle)


_BAR: Any = {"color": COMPLETE_COLOUR, "lw": 0.8, "zorder": 2.5, "solid_capstyle": "butt"}
_HALO = withStroke(linewidth=1.5, foreground="white")
"""Keeps a number readable over a line."""
