"""Predicted and measured throughputs: how far the estimate can be trusted that the search takes trials' seconds by."""

from __future__ import annotations

import plotly.graph_objects as go

from terrasweep.measure.predicted_speed import PREDICTED_THROUGHPUT, ROOFLINE_THROUGHPUT
from terrasweep.measure.throughput import THROUGHPUT
from terrasweep.report.colours import COMPLETE_COLOUR
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import add_trials, base_layout
from terrasweep.report.labels import label
from terrasweep.report.speed_note import predicted_trials, speed_note
from terrasweep.report.study_outcome import StudyOutcome

_MARKERS = {
    PREDICTED_THROUGHPUT: ("by trials before it", {"symbol": "circle"}),
    ROOFLINE_THROUGHPUT: ("by the device's rates alone", {"symbol": "circle-open"}),
}
"""What the legend calls each prediction, and its marker."""


def predicted_speed_section(outcome: StudyOutcome) -> FigureSection | None:
    """Measured over predicted throughputs; None where no trial has both."""
    if not any(predicted_trials(outcome, prediction) for prediction in _MARKERS):
        return None
    figure = PageFigure(
        anchor="predicted-speed-figure",
        title="Measured over predicted throughput",
        note=" ".join(["On the line both are the same.", speed_note(outcome)]).strip(),
        spec=_drawn(outcome).to_json(),
    )
    return FigureSection(
        anchor="predicted-speed", heading="Predicted speed", link="Predicted speed", figures=[figure], key=[]
    )


def _drawn(outcome: StudyOutcome) -> go.Figure:
    unit = THROUGHPUT.unit_symbol
    axes = ({"title": {"text": f"predicted throughput ({unit})"}}, {"title": {"text": label(THROUGHPUT.name)}})
    figure = go.Figure(layout=base_layout(*({**axis, "type": "log"} for axis in axes)))
    found = {prediction: predicted_trials(outcome, prediction) for prediction in _MARKERS}
    all_values = [value for pairs in found.values() for _, pair in pairs for value in pair]
    ends = [min(all_values), max(all_values)]
    look = {"color": COMPLETE_COLOUR, "width": 1}
    figure.add_scatter(x=ends, y=ends, mode="lines", line=look, hoverinfo="skip", showlegend=False)
    for prediction, (name, marker) in _MARKERS.items():
        add_trials(
            figure,
            outcome,
            [trial for trial, _ in found[prediction]],
            x=[pair.predicted for _, pair in found[prediction]],
            y=[pair.measured for _, pair in found[prediction]],
            name=name,
            marker={"color": COMPLETE_COLOUR, "size": 9, **marker},
        )
    return figure
