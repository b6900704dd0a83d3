"""``report.html``: one file that opens anywhere, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from terrasweep.machine.files import write_atomically
from terrasweep.report.data_page import DATA_PAGE
from terrasweep.report.figures import figure_sections
from terrasweep.report.figures.figure_section import FigureSection
from terrasweep.report.packaged import packaged, render_page
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.text_sections import text_sections, trial_rows


def write_page(folder: Path, outcome: StudyOutcome) -> None:
    """Write ``report.html`` with Plotly's script, the figures' data, the style and the behaviour inside."""
    sections = figure_sections(outcome)
    page = render_page(
        "report.html",
        **text_sections(outcome),
        rows=trial_rows(outcome),
        figure_sections=sections,
        figures=_embedded(sections),
        data_page=DATA_PAGE if (folder / DATA_PAGE).is_file() else "",
        script=packaged("report.js"),
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own script
    )
    write_atomically(folder / "report.html", page)


def _embedded(sections: list[FigureSection]) -> Markup:
    """The figures as JSON that may stand in a script element: no ``<`` can end it."""
    drawn = (figure for section in sections for figure in section.figures if figure.spec)
    specs: dict[str, Any] = {figure.anchor: json.loads(figure.spec) for figure in drawn}
    text = json.dumps(specs, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - no sign that ends the element is left
