"""Which trial to run again: the most accurate, the smallest, the fastest, the knee, or the best under limits."""

from __future__ import annotations

import json
import math
import shlex
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from terrasweep.machine.files import write_atomically
from terrasweep.measure.accuracy import ACCURACY, TEST_ACCURACY
from terrasweep.report.labels import label, trial_name
from terrasweep.report.study_outcome import StudyOutcome, summarize
from terrasweep.report.tables import searched_text
from terrasweep.report.ties import tie_remarks
from terrasweep.results import pareto
from terrasweep.results.simplicity import complexity
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded

_WRAP = textwrap.TextWrapper(width=118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
MIB_PER_GIB = 1024
NOT_RUN_AGAIN = ("trial", "hydra")
"""Sections of a stored configuration that belong to the trial that was, not to the one that is to come."""


@dataclass(frozen=True)
class Role:
    """One question that a recommendation answers."""

    name: str
    """Name of the configuration in ``recommended/``."""
    title: str
    objective: Objective | None
    """What decides; None for the knee."""


ROLES = (
    Role("most_accurate", "Most accurate", Objective(name="accuracy", direction="maximize")),
    Role("smallest", "Smallest", Objective(name="peak_memory_mib", direction="minimize")),
    Role("fastest", "Fastest", Objective(name="throughput_samples_per_s", direction="maximize")),
    Role("knee", "Knee", None),
)


def choose(outcome: StudyOutcome) -> dict[str, TrialResult]:
    """The trial for each role that some trial qualifies for, by the role's name, in the order of ROLES.

    A role whose measurement is an objective looks at the front alone, another one at all complete trials. Of those that
    can't be told from the best one within the error, the simplest configuration is taken
    (:func:`terrasweep.results.simplicity.complexity`); further ties are broken by the study's objectives in their
    order, then by the trial's number.
    """
    chosen: dict[str, TrialResult] = {}
    for role in ROLES:
        if role.objective is None:
            best = outcome.knee
        else:
            complete = [result for result in outcome.trials if result.state is State.COMPLETE]
            candidates = outcome.front if role.objective in outcome.objectives else complete
            best = _simplest(outcome, candidates, [role.objective, *outcome.objectives])
        if best is not None:
            chosen[role.name] = best
    return chosen


def recommended(record: StudyRecord, results: Sequence[TrialResult], folder: Path) -> list[TrialResult]:
    """The trials of :func:`choose` as they measured themselves, each once.

    Args:
        record: The study.
        results: The study's trials.
        folder: The study's, which holds what was trained beside them.
    """
    outcome = summarize(record, results, folder)
    own = (outcome.own(result) for result in choose(outcome).values())
    return list({id(result): result for result in own}.values())


def recommend(
    record: StudyRecord,
    results: Sequence[TrialResult],
    folder: Path | None = None,
    *,
    memory_gib: float | None,
    min_throughput: float | None,
    min_accuracy: float | None,
) -> TrialResult | None:
    """The most accurate complete trial within limits.

    A trial that lacks a measurement which a limit is about does not qualify; the peak over the build counts against
    the memory where it was measured. Of the trials within the limits that nothing beats and that can't be told from the
    most accurate one, the simplest is taken.

    Args:
        record: The study; its objectives break ties.
        results: The study's trials.
        folder: The study's, which holds what was trained beside its trials; None where that is not asked for.
        memory_gib: Memory at hand, in GiB (2**30 bytes).
        min_throughput: Samples per second needed.
        min_accuracy: Accuracy needed.

    Returns:
        The trial, with values pooled over all that was measured of it; None if no trial qualifies.
    """
    outcome = summarize(record, results, folder)

    def fits(result: TrialResult) -> bool:
        limits = [(result.value("throughput_samples_per_s"), min_throughput), (result.value("accuracy"), min_accuracy)]
        if any(least is not None and (value is None or value < least) for value, least in limits):
            return False
        if memory_gib is None:
            return True
        peaks = [result.value("peak_memory_mib"), result.value("peak_build_mib")]
        return peaks[0] is not None and max(peak for peak in peaks if peak is not None) <= memory_gib * MIB_PER_GIB

    candidates = [result for result in outcome.trials if result.state is State.COMPLETE and fits(result)]
    # What was not made an objective still separates trials of the same accuracy.
    decisive = [role.objective for role in ROLES if role.objective is not None]
    return _simplest(outcome, candidates, [decisive[0], *record.objectives, *decisive[1:]])


def recommended_yaml(record: StudyRecord, result: TrialResult, command: str, remarks: Sequence[str] = ()) -> str:
    """A complete configuration that ``sweep.py`` runs, headed by where it comes from.

    Args:
        record: The study.
        result: The trial whose configuration it is.
        command: The exact command that runs the file.
        remarks: Lines on how it compares.

    Returns:
        YAML text.
    """
    accuracy_name = result.accuracy_name
    names = shown_measurements(record.objectives)
    measured = [
        f"{label(name, accuracy_name)}: {rounded(value)}" for name in names if (value := result.value(name)) is not None
    ]
    searched = [f"{key}={searched_text(result, key)}" for key in result.searched]
    header = [
        f"{trial_name(result).capitalize()} of the study {record.name}{result.device and f', on {result.device}'}.",
        f"Measured: {'; '.join(measured) or 'nothing'}.",
        *([f"Searched: {' '.join(searched)}"] if searched else []),
        *remarks,
        "Run it again, from the project's root:",
        f"  {command}",
    ]
    # Through JSON, so that enumerations and tuples of a result still in memory become plain values.
    config = json.loads(json.dumps({k: v for k, v in result.config.items() if k not in NOT_RUN_AGAIN}))
    if "***" in config.get("tracking", {}).get("uri", ""):
        config["tracking"]["uri"] = "sqlite:///mlflow.db"  # A stored URL has no password; the local store needs none.
    body = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120) if config else ""
    comment = "\n".join(_comment(line) for line in header)
    return f"{comment}\ndefaults:\n  - base\n  - _self_\n\n{body}"


def _comment(text: str) -> str:
    """A text as a comment: sentences in lines of 120 characters, and a command, which is indented, in one piece."""
    line = " ".join(text.splitlines())
    lines = [line] if line.startswith(" ") else _WRAP.wrap(line)
    return "\n".join(f"# {part}".rstrip() for part in lines or [""])


def shown_measurements(objectives: Sequence[Objective]) -> list[str]:
    """What a recommendation shows of its trial, by name; the test accuracy beside the accuracy."""
    names = dict.fromkeys([*(o.name for o in objectives), *(r.objective.name for r in ROLES if r.objective)])
    return [shown for name in names for shown in ([name, TEST_ACCURACY.name] if name == ACCURACY.name else [name])]


def command_for(record: StudyRecord, role: str) -> str:
    """The command that runs a recommended configuration, from the project's root."""
    folder = shlex.quote(f"results/{record.name}/recommended")
    return f"python sweep.py --config-dir {folder} --config-name {role}"


def write_recommendations(
    folder: Path, outcome: StudyOutcome, remarks: Callable[[TrialResult], Sequence[str]] = lambda _: ()
) -> None:
    """Write ``recommended/<role>.yaml`` for every role that a trial qualifies for, and remove any other's.

    Args:
        folder: The study's.
        outcome: The study.
        remarks: Lines on how a trial compares.
    """
    chosen = choose(outcome)
    for role in ROLES:
        file = folder / "recommended" / f"{role.name}.yaml"
        if role.name in chosen:
            command = command_for(outcome.record, role.name)
            lines = [*remarks_on(outcome, [role], chosen[role.name]), *remarks(chosen[role.name])]
            write_atomically(file, recommended_yaml(outcome.record, chosen[role.name], command, lines))
        else:
            file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Recommended:
    """A trial, and all that it is recommended for."""

    result: TrialResult
    roles: list[Role]

    @property
    def title(self) -> str:
        """``Most accurate, knee``."""
        return ", ".join([self.roles[0].title, *(role.title.lower() for role in self.roles[1:])])


def by_configuration(outcome: StudyOutcome) -> list[Recommended]:
    """What is recommended, each configuration once, in the order of its first role."""
    roles = {role.name: role for role in ROLES}
    found: list[Recommended] = []
    for name, result in choose(outcome).items():
        known = (other for other in found if outcome.is_same_configuration(other.result, result))
        if (same := next(known, None)) is None:
            found.append(Recommended(result, [roles[name]]))
        else:
            same.roles.append(roles[name])
    return found


def remarks_on(outcome: StudyOutcome, roles: Sequence[Role], result: TrialResult) -> list[str]:
    """What a recommended trial can't be told from, in the objectives that its roles are about and altogether."""
    deciding: list[Objective | None] = [role.objective for role in roles if role.objective in outcome.objectives]
    sentences = [s for objective in deciding or [None] for s in tie_remarks(outcome, result, objective)]
    return list(dict.fromkeys(sentences))


def _simplest(
    outcome: StudyOutcome, candidates: Sequence[TrialResult], order: Sequence[Objective]
) -> TrialResult | None:
    """The best candidate, or the simplest unbeaten one that can't be told from it in the first of the objectives."""
    best = _best(candidates, order)
    if best is None or order[0] not in outcome.objectives:
        return best
    unbeaten = {id(result) for result in (*outcome.front, *outcome.tied)}
    alike = [
        result
        for result in candidates
        if id(result) in unbeaten and not outcome.are_told_apart(order[0].name, result, best)
    ]
    least = min((complexity(result.config) for result in alike), default=None)
    return _best([r for r in alike if complexity(r.config) == least], order) or best


def _best(candidates: Sequence[TrialResult], order: Sequence[Objective]) -> TrialResult | None:
    """The candidate that is best in the first of the objectives, then in the next one, and so on."""
    qualified = [result for result in candidates if pareto.ranked([result], order[:1])]

    def loss(result: TrialResult) -> list[float]:
        values = [(result.value(objective.name), -1 if objective.maximize else 1) for objective in order]
        return [math.inf if value is None else sign * value for value, sign in values]

    return min(qualified, key=loss, default=None)
