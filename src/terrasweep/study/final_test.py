"""The test split, asked once, after the search: what the recommended trials reach on samples that chose nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

from terrasweep import process
from terrasweep.config.compose import stored_trial_config
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.machine.locks import locked
from terrasweep.machine.paths import WEIGHTS
from terrasweep.machine.versions import git_commit, versions
from terrasweep.process.parent import Outcome
from terrasweep.results.errors import Crashed, DataError, InvalidConfig, TerrasweepError, first_line
from terrasweep.results.final_test import FinalTest
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import counted, listed, rounded
from terrasweep.study.folder import StudyFolder
from terrasweep.trial import prepare
from terrasweep.trial.trained_again import folder_with_weights

LOG = "test.log"
"""What the child printed, kept where it failed."""
_CHILD = "terrasweep.trial.evaluate_in_child:evaluate_test"


class NoTestSplit(DataError):
    """The data have no samples with labels that are neither trained nor validated on."""


def run_final_tests(folder: StudyFolder, say: Callable[[str], None], *, asked_for: bool) -> bool:
    """Evaluate the recommended trials that have no answer yet, one after the other; what fails costs no other one.

    Beside other processes of the study one works, and the others wait for it and find its answers.

    Args:
        folder: The study's.
        say: Is given a line per trial, and one per reason why trials were not evaluated.
        asked_for: Whether somebody asked for it: is told that there is no test split, and has a trial trained again
            whose weights are gone.

    Returns:
        Whether every recommended trial that can be evaluated has an answer.
    """
    from terrasweep.report import recommended

    refused: dict[str, list[int]] = {}
    with locked(folder.path / ".test.lock"):
        for result in recommended(folder.known, folder.results(), folder.path):
            if result.number is None or folder.trials.is_tested(result.number):
                continue
            try:
                test = _evaluate(folder, result, result.number, train_again=asked_for)
            except NoTestSplit as error:
                if asked_for:
                    refused.setdefault(str(error), []).append(result.number)
            except Exception as error:  # noqa: BLE001 - a study has its report, whatever the test split does to one
                reason = str(error) if isinstance(error, TerrasweepError) else _unexpected(error)
                refused.setdefault(reason, []).append(result.number)
            else:
                folder.trials.add_test(result.number, test)
                say(_line(result, test))
    for reason, numbers in refused.items():
        say(f"warning: {_trials(numbers)} not measured on the test split: {reason}")
    return not refused


def _evaluate(folder: StudyFolder, result: TrialResult, number: int, *, train_again: bool) -> FinalTest:
    trial = folder.trials.path / str(number)
    config = _on_unchanged_data(stored_trial_config(result.config))
    prepare.prepare(config)
    if reason := stored.find_no_test(config):
        raise NoTestSplit(reason)
    if not (trial / WEIGHTS).is_dir() and not train_again:
        raise InvalidConfig(_why_without_weights(config, folder.known.name))
    log = trial / LOG
    log.unlink(missing_ok=True)
    with folder_with_weights(f"trial {number}", trial, result, config, LOG) as weights:
        print(f"Measuring trial {number} on the test split ...", file=sys.stderr, flush=True)
        outcome = process.run(_CHILD, {"config": config, "trial": weights}, log, process.Limits())
    if isinstance(outcome.error, Crashed):
        raise Crashed(f"{outcome.error}; see {log}") from outcome.error
    if outcome.error is not None:
        raise outcome.error
    log.unlink(missing_ok=True)
    return _answer(config, outcome)


def _why_without_weights(config: TrialConfig, study: str) -> str:
    if not config.keeps_weights:
        return "the weights were not kept; train.save_weights=true with study.keep_weights=front or all keeps them"
    near = config.study.keep_weights == "front"
    gone = "went while it was far from the front (study.keep_weights=all keeps everybody's)" if near else "are gone"
    return f"the weights {gone}; terrasweep test {study} trains it again"


def _unexpected(error: Exception) -> str:
    """What no child said: a file that is gone, or can't be read."""
    return f"{type(error).__name__}: {first_line(error)}"


def _on_unchanged_data(config: TrialConfig) -> TrialConfig:
    """The trial's configuration, where its data's files are still what it was trained on."""
    now = stored.located(config)
    if config.data.state not in (None, now.data.state):
        raise DataError(
            f"data.root={config.data.root}: its files have changed since the trial was trained, so that they are no "
            "test of it; bring them back, or run a study on them"
        )
    return now


def _answer(config: TrialConfig, outcome: Outcome) -> FinalTest:
    found = outcome.reported
    return FinalTest(
        accuracy=found["accuracy"],
        accuracy_name=config.task.accuracy_name,
        metrics=found["metrics"],
        samples=found["samples"],
        data_state=config.data.state,
        precision=found["precision"],
        device=found["device"],
        versions=versions(),
        commit=git_commit(),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _line(result: TrialResult, test: FinalTest) -> str:
    return (
        f"trial {result.number}: {test.accuracy_name} {rounded(test.accuracy)} on the test split "
        f"({counted(test.samples, 'sample')}), {rounded(result.value('accuracy'))} on the validation split"
    )


def _trials(numbers: list[int]) -> str:
    return f"trial {numbers[0]} is" if len(numbers) == 1 else f"trials {listed(map(str, numbers))} are"
