"""The figures of the page: one file each, listed here in the page's order."""

from __future__ import annotations

from collections.abc import Callable

from terrasweep.report.figures.figure_section import FigureSection
from terrasweep.report.figures.fronts import fronts_section
from terrasweep.report.figures.hypervolume import hypervolume_section
from terrasweep.report.figures.importances import importances_section
from terrasweep.report.figures.learning_curves import learning_curves_section
from terrasweep.report.figures.model_fit import model_fit_section
from terrasweep.report.figures.parallel_coordinates import parallel_section
from terrasweep.report.figures.predicted_memory import predicted_memory_section
from terrasweep.report.figures.predicted_speed import predicted_speed_section
from terrasweep.report.study_outcome import StudyOutcome

FIGURES: tuple[Callable[[StudyOutcome], FigureSection | None], ...] = (
    fronts_section,
    parallel_section,
    importances_section,
    learning_curves_section,
    hypervolume_section,
    model_fit_section,
    predicted_memory_section,
    predicted_speed_section,
)
"""Each makes its section of a study, or None where there is nothing to say."""


def figure_sections(outcome: StudyOutcome) -> list[FigureSection]:
    """The sections that a study has, in the page's order."""
    sections = (make(outcome) for make in FIGURES)
    return [section for section in sections if section is not None]
