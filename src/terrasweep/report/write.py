"""The whole report, in the order in which its files are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from terrasweep.report.recommended_configurations import write_recommendations
from terrasweep.report.tables import write_tables
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult


def write_report(folder: Path, record: StudyRecord, results: Sequence[TrialResult]) -> None:
    """Write everything that is derived from a study's trials; each file appears whole or not at all.

    Args:
        folder: The study's folder, ``results/<study>``.
        record: What is fixed for the study.
        results: Its trials so far, in any order; there may be none.
    """
    from terrasweep.report.baseline_comparison import lines_beside
    from terrasweep.report.markdown import write_markdown
    from terrasweep.report.page import write_page
    from terrasweep.report.pareto_images import write_static_figures
    from terrasweep.report.study_outcome import summarize

    outcome = summarize(record, results, folder)
    write_tables(folder, record, results)
    baselines, objectives = outcome.baselines, outcome.objectives
    write_recommendations(folder, outcome, lambda trial: lines_beside(trial, baselines, objectives, outcome.alike))
    write_static_figures(folder, outcome)
    write_markdown(folder, outcome)
    write_page(folder, outcome)
