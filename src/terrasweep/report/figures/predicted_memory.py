"""Predicted and measured peaks: how far the prediction can be trusted that trials are skipped by."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from terrasweep.measure.measurement import Measurement
from terrasweep.measure.predicted_memory import PREDICTED_PEAK, measured_on, measured_pair
from terrasweep.report.colours import COMPLETE_COLOUR
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import add_trials, base_layout
from terrasweep.report.labels import label
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.peak_calibration import LEVEL, Calibration, Pair, calibrate, errors_of_unseen
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import counted, percent, rounded, with_decimals

_FEW = 3
"""Pairs below which nothing is said of errors."""


def predicted_memory_section(outcome: StudyOutcome) -> FigureSection | None:
    """Measured over predicted peaks; None where no trial has both."""
    figures = [
        figure
        for device in ("cuda", "cpu")
        if (figure := predicted_memory_figure(outcome, PREDICTED_PEAK, device)) is not None
    ]
    if not figures:
        return None
    return FigureSection(
        anchor="predicted-memory", heading="Predicted memory", link="Predicted memory", figures=figures, key=[]
    )


def predicted_memory_figure(outcome: StudyOutcome, prediction: Measurement, device: str) -> PageFigure | None:
    """One point per trial on a kind of device, and the line through them; None where there is no point."""
    own = [(trial, outcome.own(trial)) for trial in outcome.trials]
    found = [
        (trial, pair)
        for trial, result in own
        if measured_on(result) == device and (pair := measured_pair(result, prediction)) is not None
    ]
    if not found:
        return None
    trials, pairs = [trial for trial, _ in found], [pair for _, pair in found]
    line = calibrate(pairs, device)
    return PageFigure(
        anchor=f"predicted-{device}",
        title=f"Measured over predicted peak memory ({'a GPU' if device == 'cuda' else 'a CPU'})",
        note=_note(pairs, line, device),
        spec=_drawn(outcome, prediction, trials, pairs, line).to_json(),
    )


def _drawn(
    outcome: StudyOutcome,
    prediction: Measurement,
    trials: Sequence[TrialResult],
    pairs: Sequence[Pair],
    line: Calibration,
) -> go.Figure:
    figure = go.Figure(
        layout=base_layout({"title": {"text": label(prediction.name)}}, {"title": {"text": label(prediction.predicts)}})
    )
    ends = [min(pair.predicted for pair in pairs), max(pair.predicted for pair in pairs)]
    low, high = zip(*map(line.interval, ends), strict=True)
    for dash, heights in (("solid", [*map(line.expected, ends)]), ("dot", [*low]), ("dot", [*high])):
        look = {"color": COMPLETE_COLOUR, "width": 1, "dash": dash}
        figure.add_scatter(x=ends, y=heights, mode="lines", line=look, hoverinfo="skip")
    x, y = [pair.predicted for pair in pairs], [pair.measured for pair in pairs]
    marker = {"color": COMPLETE_COLOUR, "size": 9, "line": {"color": "white", "width": 1}}
    add_trials(figure, outcome, trials, x=x, y=y, name="trials", marker=marker)
    figure.update_layout(showlegend=False)
    return figure


def _note(pairs: Sequence[Pair], line: Calibration, device: str) -> str:
    """The line in words, and how far predictions are off, with it and without."""
    said = (
        f"The line through {counted(len(pairs), 'trial')}: measured = {rounded(line.intercept_mib)} MiB + "
        f"{with_decimals(line.slope, 3)} x predicted; between the dotted ones {percent(LEVEL)} of the next trials are "
        "expected."
    )
    if len(pairs) < _FEW:
        return said
    plain = sorted(abs(pair.predicted / pair.measured - 1) for pair in pairs)
    unseen = sorted(errors_of_unseen(pairs, device))
    return (
        f"{said} A line through the others is off by {_quantiles(unseen)} for a trial that it does not know; the "
        f"prediction alone is off by {_quantiles(plain)}."
    )


def _quantiles(errors: Sequence[float]) -> str:
    """The median and the 95th percentile of errors in their order."""
    median, high = (errors[round(share * (len(errors) - 1))] for share in (0.5, 0.95))
    return f"{percent(median)} (median), {percent(high)} (95th percentile)"
