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
from terrasweep.report.content import content, trial_rows
from terrasweep.report.figures import PageFigure, hypervolume_figure, importance_figure
from terrasweep.report.fronts import marked_states, pair_figures
from terrasweep.report.importances import importances
from terrasweep.report.labels import KNEE_COLOUR, STATE_COLOURS, label
from terrasweep.report.outcome import StudyOutcome
from terrasweep.report.parallel import parallel_figure


def write_page(folder: Path, outcome: StudyOutcome) -> None:
    """Write ``report.html`` with Plotly's script, the figures' data, the style and the behaviour inside."""
    environment = Environment(
        loader=PackageLoader("terrasweep.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fronts = pair_figures(outcome)
    parallel = parallel_figure(outcome)
    hypervolume = hypervolume_figure(outcome)
    importance = _importances(outcome)
    drawn = [figure for figure, _, _ in importance if figure is not None]
    figures = [*fronts, *(figure for figure in (parallel, hypervolume) if figure is not None), *drawn]
    page = environment.get_template("report.html").render(
        content(outcome),
        rows=trial_rows(outcome),
        fronts=fronts,
        marked=marked_states(outcome),
        colours={**{str(state): colour for state, colour in STATE_COLOURS.items()}, "knee": KNEE_COLOUR},
        parallel=parallel,
        hypervolume=hypervolume,
        importances=importance,
        figures=_embedded(figures),
        style=_part("report.css"),
        script=_part("report.js"),
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own script
        version=__version__,
    )
    write_atomically(folder / "report.html", page)


def _importances(outcome: StudyOutcome) -> list[tuple[PageFigure | None, str, str]]:
    """Per objective its figure, or None with a sentence that says why there is none; and its name."""
    found: list[tuple[PageFigure | None, str, str]] = []
    for position, objective in enumerate(outcome.objectives):
        shares = importances(outcome, objective.name)
        name = label(objective.name, outcome.accuracy_name)
        if isinstance(shares, str):
            found.append((None, name, shares))
        else:
            found.append((importance_figure(f"importance-{position}", name, shares), name, ""))
    return found


def _embedded(figures: list[PageFigure]) -> Markup:
    """The figures as JSON that may stand in a script element: no ``<`` can end it."""
    specs: dict[str, Any] = {figure.anchor: json.loads(figure.spec) for figure in figures}
    return Markup(json.dumps(specs, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704


def _part(name: str) -> Markup:
    """One of this package's own files, taken over as it is."""
    return Markup(files("terrasweep.report").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704
