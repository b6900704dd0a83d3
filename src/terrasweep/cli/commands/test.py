"""``terrasweep test STUDY``."""

from __future__ import annotations

import typer

from terrasweep.cli.commands.arguments import Study
from terrasweep.config.bad_input import EXIT_NOTHING_COMPLETED
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.study.folder import StudyFolder, open_existing


def command(study: Study) -> None:
    """Measure a study's recommended trials on the test split, each once, and write the report with it."""
    from terrasweep.report import write_report
    from terrasweep.study.background_tracking import track_stored
    from terrasweep.study.final_test import run_final_tests

    folder = open_existing(study)
    if not any(result.state is State.COMPLETE for result in folder.results()):
        raise InvalidConfig(f"study {study}: none of its trials has completed, and there is nothing to test")
    _warn_of_more_to_come(folder)
    complete = run_final_tests(folder, typer.echo, asked_for=True)
    write_report(folder.path, folder.known, folder.results())
    if untracked := track_stored(folder.known, folder.path, folder.results(), folder.summary()):
        typer.echo(untracked, err=True)
    typer.echo(folder.path / "report.html")
    if not complete:
        raise typer.Exit(EXIT_NOTHING_COMPLETED)


def _warn_of_more_to_come(folder: StudyFolder) -> None:
    ended = sum(result.reason is not Reason.INTERRUPTED for result in folder.results())
    if ended < folder.known.n_trials:
        typer.echo(
            f"note: {ended} of {folder.known.n_trials} trials have ended: what is measured now was chosen among these",
            err=True,
        )
