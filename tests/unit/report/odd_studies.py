"""Studies of every kind that a sweep can leave, by what is special about them."""

from __future__ import annotations

import math

from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample
from tests.unit.report.sample_study import objectives, random_study

UNFINISHED = [
    TrialResult(number=0, state=State.FAILED, reason=Reason.CRASHED, message="first\nsecond"),
    TrialResult(number=1, state=State.INFEASIBLE, reason=Reason.TIMEOUT, violation=0.5),
    TrialResult(number=2, state=State.PRUNED, reason=Reason.PRUNER),
]
SAME = {"accuracy": 0.5, "throughput_samples_per_s": 1.0, "peak_memory_mib": 9.0}
STUDIES: dict[str, tuple[StudyRecord, list[TrialResult]]] = {
    "sample": sample.study(),
    "no trials": (sample.record(), []),
    "nothing searched": (sample.record(space={}), [sample.complete(0, {"accuracy": 0.5})]),
    "none complete": (sample.record(), UNFINISHED),
    "one complete": (sample.record(), [*UNFINISHED, sample.results()[0]]),
    "a complete trial without objectives": (sample.record(), [sample.complete(0, {})]),
    "no number": (sample.record(), [TrialResult(number=None, state=State.COMPLETE)]),
    "equal trials": (sample.record(), [sample.complete(i, SAME, q="a") for i in range(6)]),
    "infinite": (sample.record(objectives=objectives(1)), [sample.complete(0, {"peak_memory_mib": math.inf}, q="a")]),
    **{f"{count} objectives": random_study(count, 12) for count in (1, 2, 4)},
    "hundreds of trials": random_study(3, 300),
}


MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def study_of_markup() -> tuple[StudyRecord, list[TrialResult]]:
    """A study whose every text is markup."""
    record = sample.record(
        name=MARKUP,
        objectives=[Objective(name=MARKUP, direction="maximize"), Objective(name="accuracy", direction="maximize")],
        space={MARKUP: MARKUP},
        overrides=[MARKUP],
        environment={MARKUP: MARKUP},
    )
    values = [{MARKUP: i / 9, "accuracy": 1 - i / 9} for i in range(9)]
    results = [sample.complete(i, reached, **{MARKUP: f"{MARKUP}{i % 2}"}) for i, reached in enumerate(values)]
    results.append(TrialResult(number=9, state=State.FAILED, reason=Reason.CRASHED, message=MARKUP, device=MARKUP))
    return record, results
