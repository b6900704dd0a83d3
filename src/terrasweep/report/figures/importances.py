"""How much each searched key decides over each objective."""

from __future__ import annotations

import html

import plotly.graph_objects as go

from terrasweep.report.colours import COMPLETE_COLOUR
from terrasweep.report.figures.figure_section import FigureSection, PageFigure
from terrasweep.report.figures.shared_look import base_layout
from terrasweep.report.importances import importances
from terrasweep.report.labels import label
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.wording import whole_percent


def importances_section(outcome: StudyOutcome) -> FigureSection:
    """A figure per objective, or a sentence that says why there is none."""
    figures = []
    for position, objective in enumerate(outcome.objectives):
        shares = importances(outcome, objective.name)
        anchor, name = f"importance-{position}", label(objective.name, outcome.accuracy_name)
        if isinstance(shares, str):
            figures.append(PageFigure(anchor=anchor, title=name, note=shares))
        else:
            figures.append(importance_figure(anchor, name, shares))
    return FigureSection(
        anchor="importances",
        heading="Importances",
        link="Importances",
        note="How much of an objective's variance over the complete trials each setting explains (fANOVA). A setting "
        "that a trial does not have counts as a value of its own.",
        figures=figures,
        key=[],
    )


def importance_figure(anchor: str, name: str, importances: dict[str, float]) -> PageFigure:
    """Bars of the parameter importances for one objective, the largest on top."""
    ordered = sorted(importances.items(), key=lambda item: item[1])
    figure = go.Figure(layout=base_layout({"title": "share of the explained variance"}, {}))
    figure.add_bar(
        x=[share for _, share in ordered],
        y=[html.escape(key) for key, _ in ordered],
        orientation="h",
        marker={"color": COMPLETE_COLOUR},
        text=[whole_percent(share) for _, share in ordered],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%")
    figure.update_yaxes(type="category", showgrid=False, ticksuffix="  ", dtick=1)
    figure.update_layout(showlegend=False, height=64 + 34 * len(ordered), margin_t=8)
    return PageFigure(anchor=anchor, title=name, spec=figure.to_json())
