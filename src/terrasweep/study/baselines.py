"""The baselines of a study: which of those asked for can be had, and which of them are proposals of its search, too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from terrasweep.config.bad_input import BAD_INPUT, describe_bad_input
from terrasweep.config.baselines import GivenBaseline, given_baselines, is_default
from terrasweep.config.compose import composed_trial, fixed_settings
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.extra_trainings import Role, read_extra_results
from terrasweep.results.states import State
from terrasweep.study.extra_trainings import ExtraTraining
from terrasweep.study.override_text import as_override
from terrasweep.study.search_space import SearchSpace
from terrasweep.trial import rules
from terrasweep.trial.check_models import KNOBS, check_models

Compose = Callable[[Sequence[str]], DictConfig]
"""Composes a configuration from what is fixed in a study, and further overrides."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline that this study can have."""

    training: ExtraTraining
    proposal: Mapping[str, Any]
    """The searched values that it is in the search space; empty where the space does not offer it."""


@dataclass(frozen=True, kw_only=True)
class FoundBaselines:
    """The baselines that a study was asked for."""

    measured: Sequence[Baseline] = ()
    """Those that it can have, in their order."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Default ones that do not go with it, by name: why."""


def find_baselines(
    given: Any, space: SearchSpace, compose_changed: Compose, compose_trial: Compose, study: Path
) -> FoundBaselines:
    """The baselines of a study; a default one that does not go with it is left out, with a line.

    Args:
        given: ``study.baselines``.
        space: What the study searches.
        compose_changed: Composes what is fixed, changed by a baseline's overrides.
        compose_trial: Composes a trial from its searched overrides.
        study: Its folder.

    Raises:
        InvalidConfig: A baseline that was named can't be composed, contradicts itself or the backbone, or was measured
            with other settings; with one line each.
    """
    found: list[Baseline] = []
    refused: dict[str, str] = {}
    lr_for_adapters = is_default(given) and _is_lr_for_adapters(space, compose_changed)
    for wanted in given_baselines(given, lr_for_adapters=lr_for_adapters):
        try:
            composed = _composed(wanted, compose_changed)
            training = ExtraTraining(
                role=Role.BASELINE, name=wanted.name, settings=dict(wanted.settings), overrides=_overrides(wanted)
            )
            found.append(Baseline(training=training, proposal=_proposal(composed, space, compose_trial)))
        except InvalidConfig as error:
            refused[wanted.name] = str(error)
    lines = [f"study.baselines: {name}: {line}" for name, said in refused.items() for line in said.splitlines()]
    if is_default(given):
        for line in lines:
            print(f"note: left out: {line}", file=sys.stderr)
        return FoundBaselines(measured=found, left_out=refused)
    if lines := [*lines, *_find_renamed(found, study)]:
        raise InvalidConfig("\n".join(lines))
    return FoundBaselines(measured=found)


def proposals(baselines: Sequence[Baseline], study: Path) -> dict[str, Mapping[str, Any]]:
    """Name to searched values of the baselines that were measured, or did not fit, and that the space offers."""
    ended = read_extra_results(study, Role.BASELINE)
    known = {name for name, result in ended.items() if result.state is not State.FAILED}
    return {b.training.name: b.proposal for b in baselines if b.proposal and b.training.name in known}


def _is_lr_for_adapters(space: SearchSpace, compose_changed: Compose) -> bool:
    """Whether the study's learning rate is one for adapters, decoder and head beside pretrained weights.

    Where the search chooses the tuning or the learning rate, what is fixed of them says nothing of it.
    """
    if {"tuning", "train.lr"} & {key.name for key in space.keys}:
        return False
    config = composed_trial(compose_changed(()))
    pretrained = config.backbone.pretrained or config.backbone.checkpoint is not None
    return pretrained and config.tuning.name != "full" and config.train.backbone_lr_ratio == 1.0


def _composed(wanted: GivenBaseline, compose_changed: Compose) -> DictConfig:
    """The configuration of a baseline that goes with the study.

    Raises:
        InvalidConfig: It does not.
    """
    try:
        composed = compose_changed(_overrides(wanted))
        config = composed_trial(composed)
    except BAD_INPUT as error:
        raise InvalidConfig("\n".join(describe_bad_input(error))) from error
    _check(config)
    return composed


def _overrides(wanted: GivenBaseline) -> tuple[str, ...]:
    return tuple(as_override(str(key), value) for key, value in wanted.overrides.items())


def _check(config: TrialConfig) -> None:
    """Refuse what no training could do; the first violation says enough.

    Raises:
        InvalidConfig: The rules forbid it, or the model has no part for it.
    """
    if violation := next(iter(rules.find_violations(config)), ""):
        raise InvalidConfig(violation)
    check_models([(config, KNOBS)])


def _proposal(composed: DictConfig, space: SearchSpace, compose_trial: Compose) -> Mapping[str, Any]:
    """The searched values with which a trial of the study is this very configuration; none where it can't be one."""
    values = space.values_of(composed, compose_trial([]))
    if not values:
        return {}
    trial = composed_trial(compose_trial(space.overrides(values)))
    return values if fixed_settings(trial) == fixed_settings(composed_trial(composed)) else {}


def _find_renamed(baselines: Sequence[Baseline], study: Path) -> list[str]:
    """One line per name under which another configuration was measured."""
    measured = read_extra_results(study, Role.BASELINE)
    trainings = [b.training for b in baselines]
    return [
        f"study.baselines: {t.name}: it was measured with {_shown(before)}; give another configuration another name"
        for t in trainings
        if t.name in measured and (before := measured[t.name].searched) != dict(t.settings)
    ]


def _shown(settings: Mapping[str, Any]) -> str:
    return " ".join(as_override(key, value) for key, value in settings.items())
