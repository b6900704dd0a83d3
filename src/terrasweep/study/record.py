"""The record of a study: of one that begins, of one that goes on, and what may no longer change in it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from optuna.distributions import check_distribution_compatibility

from terrasweep.config.compose import fixed_settings
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.versions import describe
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.secrets import masked
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.search_space import SearchSpace
from terrasweep.trial import prepare

_CAME_LATER = {"augment.name": "none"}
"""What trials were run with before there was a key for it, where that is another value than a new trial's."""


def objectives_of(config: TrialConfig) -> list[Objective]:
    """What a study optimizes."""
    return [Objective(name=o.name, direction=o.direction) for o in config.study.objectives]


def find_record(config: TrialConfig, space: SearchSpace, sampler: str, folder: StudyFolder) -> StudyRecord:
    """The record that a folder holds, taken further, or a new one.

    Args:
        config: What is fixed.
        space: What is searched.
        sampler: The sampler's class, by its dotted name.
        folder: The study's.

    Raises:
        InvalidConfig: The study was started with other objectives.
    """
    existing = folder.record()
    if existing is None:
        return new_record(config, space, sampler)
    results = folder.results()
    if not _nothing_came_of(results):
        _warn_of_changes(existing, config)
    return continued(existing, config, space, results)


def new_record(config: TrialConfig, space: SearchSpace, sampler: str) -> StudyRecord:
    """The record of a study that begins now."""
    return StudyRecord(
        name=config.study.name,
        n_trials=config.study.n_trials,
        objectives=objectives_of(config),
        space=_texts(space),
        overrides=[masked(override) for override in space.fixed],
        sampler=sampler.rsplit(".", 1)[-1],
        seed=config.study.seed,
        storage=masked(config.study.storage or "optuna.db"),
        tracking_uri=masked(config.tracking.uri),
        settings=fixed_settings(config),
        environment=describe(),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def continued(
    existing: StudyRecord, config: TrialConfig, space: SearchSpace, results: Sequence[TrialResult]
) -> StudyRecord:
    """The record of a study that goes on; one in which nothing came to an answer takes what was mended.

    Raises:
        InvalidConfig: It was started with other objectives, and there are answers to them.
    """
    objectives = objectives_of(config)
    if _nothing_came_of(results):
        settings, overrides = fixed_settings(config), list(space.fixed)
        existing = dataclasses.replace(
            existing, objectives=objectives, space=_texts(space), settings=settings, overrides=overrides
        )
    elif existing.objectives != objectives:
        had = ", ".join(f"{o.direction} {o.name}" for o in existing.objectives)
        raise InvalidConfig(
            f"study.name={config.study.name}: the study exists with other objectives ({had}); "
            "use another study.name, or the objectives it was started with"
        )
    # An earlier version stored overrides in clear.
    overrides = [masked(override) for override in existing.overrides]
    return dataclasses.replace(existing, n_trials=config.study.n_trials, overrides=overrides)


def with_data(record: StudyRecord, config: TrialConfig) -> StudyRecord:
    """The record with what is known of the data; says so where they are others than at the study's start."""
    found, before = prepare.check_data(config), record.data.get("state")
    if before is not None and before != found.get("state"):
        print(
            f"warning: the data of {record.name} have changed since it was started: its trials are not comparable; "
            "use another study.name",
            file=sys.stderr,
        )
    return dataclasses.replace(record, data=found)


def find_changed_ranges(space: SearchSpace, stored: StoredStudy) -> list[str]:
    """One line per key whose values Optuna can't take in the study that it has."""
    known = {name: d for t in stored.trials() for name, d in t.distributions.items()}
    lines = []
    for key in space.keys:
        try:
            if key.name in known:
                check_distribution_compatibility(known[key.name], key.distribution)
        except ValueError:
            lines.append(
                f"search space: {key.name}: {key.text}: the study {stored.study.study_name} was started with other "
                "values; use another study.name, or the values it was started with"
            )
    return lines


def _nothing_came_of(results: Sequence[TrialResult]) -> bool:
    return all(result.state is State.FAILED for result in results)


def _texts(space: SearchSpace) -> dict[str, str]:
    return {key.name: masked(key.text) for key in space.keys}


def _warn_of_changes(existing: StudyRecord, config: TrialConfig) -> None:
    """Trials of one study are compared with each other; say so where they no longer can be."""
    now, before = fixed_settings(config), _CAME_LATER | existing.settings
    for key in sorted(before.keys() & now.keys() - existing.space.keys()):
        if before[key] != now[key] and key.split(".")[0] not in existing.space:
            print(
                f"warning: {key}={now[key]}, but the study {existing.name} was started with {before[key]}: "
                "its trials are not comparable; use another study.name",
                file=sys.stderr,
            )
