"""What is checked once before a study starts, so that bad input costs seconds and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import CategoricalDistribution

from terrasweep.config.compose import SECTIONS, composed_trial, with_each_value
from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.machine.paths import results_folder
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.wording import listed, nearest
from terrasweep.study import launcher_recipes
from terrasweep.study.search_space import SearchKey, SearchSpace, unknown_conditions
from terrasweep.trial import rules
from terrasweep.trial.rules import find_bad_values

Compose = Callable[[list[str]], DictConfig]
"""Composes the configuration of a trial from its searched overrides; the fixed ones are added."""

_OF_THE_STUDY = ("study", "tracking", "repeats", "confirm")
"""Sections that are read once for all trials."""
_DRAWS = 32
_COMPOSED = 24
"""Values of a key that are composed one by one."""
_LINES = 20
"""Bad values of a key that are told."""


def check_space(space: SearchSpace, compose: Compose) -> None:
    """Look at what is fixed, then at every choice on its own, and find one combination that the rules allow.

    Raises:
        InvalidConfig: What is fixed contradicts itself; a choice can't be composed, has a bad value, or never goes with
            what is fixed; or every combination drawn is contradictory.
    """
    _refuse(
        [
            f"search space: {key.name}: {key.text}: it is the study's, and no trial has it for itself; fix it"
            for key in space.keys
            if key.name.partition(".")[0] in _OF_THE_STUDY
        ]
    )
    base = compose([])
    fixed = composed_trial(base)
    names = {key.name for key in space.keys}
    _refuse([*unknown_conditions(space, base), *find_bad_values(fixed), *rules.find_lasting(fixed, names)])
    violations: dict[str, None] = {}
    never: list[str] = []
    for key in space.keys:
        bad: dict[str, None] = {}
        lasting: dict[str, list[str]] = {}
        for value, config in _with_each_value(key, base, compose):
            bad |= dict.fromkeys(find_bad_values(config))
            lasting[key.override(value)] = list(rules.find_lasting(config, names - {key.name}))
            if len(bad) >= _LINES:
                break
        if key.may_be_active(names, base):  # Else its values may contradict what is fixed: no trial has them.
            violations |= bad
            never += _never_had(key, lasting)
    _refuse([*violations, *never])
    _check_some_combination(space, compose)


def check_launcher(launcher: Mapping[str, Any], config: TrialConfig) -> None:
    """See that the launcher's settings can run trials, and that this machine has what they ask for, if they run here.

    Raises:
        InvalidConfig: They can't, or it hasn't.
    """
    violations = list(launcher_recipes.find_bad_settings(launcher))
    if launcher_recipes.runs_here(launcher):
        violations += rules.find_missing_device(config)
    if violations:
        raise InvalidConfig("\n".join(violations))


def check_reuse(config: TrialConfig) -> None:
    """See that the studies whose numbers are to count are there, and that trials are more than probes.

    Raises:
        InvalidConfig: With one line for each that isn't.
    """
    lines = list(_find_missing_studies("reuse.studies", config.reuse.studies, config.study.name))
    if config.probe.alone:
        lines.append("probe.alone=true: no trial would have an accuracy; leave it out, the confirmation round sets it")
    _refuse(lines)


def check_learn_from(config: TrialConfig) -> None:
    """See that the studies that are to be learnt from are there, and others.

    Raises:
        InvalidConfig: With one line for each that isn't.
    """
    own, names = config.study.name, config.study.learn_from
    of_itself = f"study.learn_from: {own}: a study learns from its own trials in any case; drop it"
    _refuse([*([of_itself] if own in names else []), *_find_missing_studies("study.learn_from", names, own)])


def _find_missing_studies(key: str, names: Sequence[str], own: str) -> Iterator[str]:
    """One line for each name that is no study below ``results/``; a study's own may come to be one."""
    known = [file.parent.name for file in results_folder(own).parent.glob("*/study.json")]
    for name in names:
        if name not in (own, *known):
            hint = nearest(name, known) if known else "run it first"
            yield f"{key}: {name}: there is no {results_folder(name) / 'study.json'}; {hint}"


def check_trial_folders(base: DictConfig, folder: Path) -> None:
    """See that each trial has the folder that its results are looked for in.

    Raises:
        InvalidConfig: Hydra was told to use another one.
    """
    try:
        given = Path(base.hydra.sweep.dir).resolve() / base.hydra.sweep.subdir
    except OmegaConfBaseException as error:  # It asks for what only a job knows.
        given = Path(first_line(error))
    if given != folder.resolve() / "trials" / "0":
        raise InvalidConfig(
            f"hydra.sweep: trials would run in {given}, and a study looks for them in {folder / 'trials'}; leave "
            "hydra.sweep.dir and hydra.sweep.subdir as they are, and set TERRASWEEP_HOME or study.name"
        )


def check_writable(folder: Path) -> None:
    """See that the results folder can be made and written, without leaving anything.

    Raises:
        InvalidConfig: It can't.
    """
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        reason = "is no folder" if not existing.is_dir() else "is not writable"
        raise InvalidConfig(f"results folder {folder}: {existing} {reason}; mend it, or set TERRASWEEP_HOME elsewhere")


def _with_each_value(key: SearchKey, base: DictConfig, compose: Compose) -> Iterator[tuple[Any, TrialConfig]]:
    """A key's values, each in a configuration. To compose takes 0.3 s: of many, the others are put in their place."""
    values = _extremes(key)
    in_place = key.name.partition(".")[0] in SECTIONS and key.name not in base.hydra.runtime.choices
    composed = values[:_COMPOSED] if in_place else values
    if len(composed) > _COMPOSED:
        print(f"Checking {len(composed)} choices of {key.name} ...", flush=True)
    for value in composed:
        yield value, composed_trial(compose([key.override(value)]))
    others = values[len(composed) :]
    yield from zip(others, with_each_value(base, key.name, map(key.meant, others)), strict=True)


def _extremes(key: SearchKey) -> list[Any]:
    if isinstance(key.distribution, CategoricalDistribution):
        return list(key.distribution.choices)
    return [getattr(key.distribution, end) for end in ("low", "high")]


def _refuse(violations: list[str]) -> None:
    if violations:
        raise InvalidConfig("\n".join(violations))


def _never_had(key: SearchKey, lasting: dict[str, list[str]]) -> list[str]:
    """One line for the values of a key that no trial could have, whatever the others are."""
    dead = [override for override, lines in lasting.items() if lines]
    if not isinstance(key.distribution, CategoricalDistribution) and len(dead) < len(lasting):
        return []  # An end of a range; values between them may do.
    if not dead:
        return []
    values = listed((override.partition("=")[2] for override in dead), 8)
    return [
        f"search space: {key.name}: {key.text}: {values} can never be had with what is fixed: {lasting[dead[0]][0]}; "
        "or search other values"
    ]


def _check_some_combination(space: SearchSpace, compose: Compose) -> None:
    startup.quiet_optuna()
    draws = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    base = compose([])
    first: list[str] = []
    for _ in range(_DRAWS if space.keys else 1):
        values = space.suggest(draws.ask(), base)
        found = list(rules.find_violations(composed_trial(compose(space.overrides(values)))))
        if not found:
            return
        first = first or found
    raise InvalidConfig("\n".join(first))
