"""How many trials were not started, since they can't fit by their predicted peak, and how often that was wrong."""

from __future__ import annotations

from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.gate import count_judged
from terrasweep.results.wording import counted, listed


def gate_note(outcome: StudyOutcome) -> str:
    """Sentences on what the memory gate did; nothing where no trial was judged by its prediction."""
    found = count_judged(outcome.own(trial) for trial in outcome.trials)
    if not found.judged:
        return ""
    one = found.skipped == 1
    said = (
        f"Of {counted(found.judged, 'trial')} with a predicted peak, {found.skipped:,} {'was' if one else 'were'} not "
        f"started, since {'it' if one else 'they'} can't fit."
    )
    if not found.verified:
        return said
    wrong = f": trial {listed(found.fitted)}" if found.fitted else ""
    return (
        f"{said} Of {counted(found.verified, 'trial')} more that can't fit and ran all the same, {len(found.fitted):,} "
        f"fitted{wrong}."
    )
