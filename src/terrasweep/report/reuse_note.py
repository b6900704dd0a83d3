"""How much of a study was known, and how far accuracies that were trained again are from what was known."""

from __future__ import annotations

from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import counted, rounded


def reuse_note(outcome: StudyOutcome) -> str:
    """Sentences on trials that were not trained, and on those that were to see whether they had to be; or nothing."""
    trials = [outcome.own(trial) for trial in outcome.trials]
    answered = sum(bool(trial.accuracy_from and trial.cost_from) for trial in trials)
    probed = sum(bool(trial.accuracy_from and not trial.cost_from) for trial in trials)
    probes = sum(len(trial.probes) for trial in trials)
    parts = [
        *([f"{counted(probed, 'trial')} only probed, since the accuracy was known"] * bool(probed)),
        *([f"{counted(answered, 'trial')} answered without being run"] * bool(answered)),
        *([f"{counted(probes, 'probe')} of the front after the search"] * bool(probes)),
    ]
    known = f"Of {counted(len(trials), 'trial')}: {', '.join(parts)}." if parts else ""
    return " ".join(sentence for sentence in (known, _verified(trials)) if sentence)


def _verified(trials: list[TrialResult]) -> str:
    """How far each accuracy that was known is from the one that was trained for it."""
    known = {str(trial.number): trial.value("accuracy") for trial in trials}
    pairs = [(trial, known.get(trial.verifies), trial.value("accuracy")) for trial in trials if trial.verifies]
    apart = [(abs(again - before), trial) for trial, before, again in pairs if before is not None and again is not None]
    if not apart:
        return ""
    largest, trial = max(apart, key=lambda pair: pair[0])
    if largest == 0:
        return f"{len(apart):,} of the known accuracies trained again: the same to the last digit."
    return (
        f"{len(apart):,} of the known accuracies trained again: apart by {rounded(largest)} at most "
        f"(trial {trial.number} and trial {trial.verifies})."
    )
