"""``report.html``: one file that opens anywhere, without a network."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from terrasweep import __version__
from terrasweep.machine.files import write_atomically
from terrasweep.report.colours import KNEE_COLOUR, STATE_COLOURS
from terrasweep.report.figures import figure_sections
from terrasweep.report.figures.figure_section import FigureSection
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.text_sections import text_sections, trial_rows


def write_page(folder: Path, outcome: StudyOutcome) -> None:
    """Write ``report.html`` with Plotly's script, the figures' data, the style and the behaviour inside."""
    environment = Environment(
        loader=PackageLoader("terrasweep.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = figure_sections(outcome)
    page = environment.get_template("report.html").render(
        text_sections(outcome),
        rows=trial_rows(outcome),
        figure_sections=sections,
        colours={**{str(state): colour for state, colour in STATE_COLOURS.items()}, "knee": KNEE_COLOUR},
        figures=_embedded(sections),
        style=_part("report.css"),
        script=_part("report.js"),
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own script
        version=__version__,
    )
    write_atomically(folder / "report.html", page)


def _embedded(sections: list[FigureSection]) -> Markup:
    """The figures as JSON that may stand in a script element: no ``<`` can end it."""
    drawn = (figure for section in sections for figure in section.figures if figure.spec)
    specs: dict[str, Any] = {figure.anchor: json.loads(figure.spec) for figure in drawn}
    return Markup(json.dumps(specs, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704


def _part(name: str) -> Markup:
    """One of this package's own files, taken over as it is."""
    return Markup(files("terrasweep.report").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704
