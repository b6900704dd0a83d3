"""What a study learns from others (``study.learn_from``): their trials, as far as they could be trials of this one.

A trial of another study is compared with the one that has its settings here, key by key, by what each key bears on
(:mod:`terrasweep.config.bears_on`):

- where nothing differs that bears on the accuracy, its accuracy is one of this study;
- where only the data, the training around them or the seed differ, its accuracy is a trend: the model is the same;
- where nothing differs that bears on the memory, or on the speed, and the device is the same, so are these. Of the data
  only the shapes matter for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import OmegaConf

from terrasweep.config.bad_input import BAD_INPUT
from terrasweep.config.bears_on import bearings
from terrasweep.config.compose import composed_trial, stored_trial_config
from terrasweep.config.data import DataConfig
from terrasweep.config.knobs import KNOBS
from terrasweep.config.knobs.knob import MEMORY, QUALITY, SPEED
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.schema import TrialConfig
from terrasweep.data.stored import located
from terrasweep.machine.hardware import cpu_name, effective_device, gpu_names
from terrasweep.machine.paths import results_folder
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.measure.predicted_memory import measured_on
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import counted
from terrasweep.study.composer import Composer
from terrasweep.study.factored.prior import PriorTrial
from terrasweep.study.factored.quantities import PROBE_SECONDS, TRAINING_SECONDS, BearsOn, Settings
from terrasweep.study.factored_search import beside_objectives, objective_quantity
from terrasweep.study.search_space import NOT_OFFERED, SearchSpace
from terrasweep.study.trial_folders import TrialFolders
from terrasweep.trial import prepare

_SAME_MODEL = (
    "backbone.name",
    "backbone.source",
    "backbone.pretrained",
    "backbone.checkpoint",
    "decoder.name",
    "task.name",
)
"""Another one of these is another model, whose accuracy says nothing here; so is another setting of a knob."""
_NO_COST = frozenset(
    {"backbone.bands", "backbone.modality", "budget.memory_gib"}
    | {"task.ignore_index", "task.accuracy", "task.accuracy_name"}
)
"""Of no weight for memory and speed as long as shapes and kernels are the same; those of ``data`` likewise."""


@dataclass(frozen=True, kw_only=True)
class _Differences:
    """What of a trial's configuration is another one here."""

    quality: frozenset[str]
    memory: frozenset[str]
    speed: frozenset[str]

    @property
    def is_same_model(self) -> bool:
        """Whether all that bears on the accuracy beside data and training is the same."""
        knobs = {knob.group for knob in (*KNOBS, *outside_knobs())}
        return not any(key in _SAME_MODEL or key.partition(".")[0] in knobs for key in self.quality)


def read_prior(learnt: Mapping[str, Sequence[Mapping[str, Any]]], names: Sequence[str]) -> list[PriorTrial]:
    """What a study's record keeps of those that it learns from.

    Args:
        learnt: Of the record.
        names: Those that count, in their order.
    """
    return [PriorTrial.from_plain(name, trial) for name in names for trial in learnt.get(name, ())]


class PriorReader:
    """Reads other studies for one that is composed here."""

    def __init__(self, space: SearchSpace, composer: Composer, objectives: Sequence[Objective]) -> None:
        """Args: ``composer``: of the study that learns; ``objectives``: its own."""
        self._space, self._composer, self._objectives = space, composer, objectives
        self._base = composer.base
        self._searched = {key.name for key in space.keys}
        self._given = composed_trial(self._base)
        self._complete = prepare.complete_from_data(located(self._given))

    def learn_from(self, study: str) -> tuple[list[PriorTrial], str]:
        """What a study's trials say here, and a line about it; those that say nothing are left out."""
        results = TrialFolders(results_folder(study) / "trials").results()
        found = (self._prior(study, result) for result in results)
        prior = [trial for trial in found if trial is not None and (trial.numbers or trial.trends)]
        return prior, described(study, len(results), prior)

    def _prior(self, study: str, result: TrialResult) -> PriorTrial | None:
        if result.state is not State.COMPLETE and result.reason is not Reason.OVER_BUDGET:
            return None
        settings = self._settings_of(result)
        if settings is None:
            return None
        try:
            here = self._composed(settings)
            there = stored_trial_config(result.config)
        except BAD_INPUT:  # A configuration that can't be had here, or not any more.
            return None
        differing = self._differences(here, there)
        numbers = dict(self._numbers(result, here, differing))
        trends = {}
        if differing.quality and differing.is_same_model:
            trends = dict(self._values(result, BearsOn.QUALITY))
        return PriorTrial(study=study, settings=settings, numbers=numbers, trends=trends)

    def _composed(self, settings: Settings) -> TrialConfig:
        """The configuration of a trial with these settings, with what its data tell."""
        config = self._composer.compose_trial(self._space.overrides(settings))
        if (config.data, config.task) == (self._given.data, self._given.task):
            return replace(config, data=self._complete.data, task=self._complete.task)
        return prepare.complete_from_data(located(config))

    def _settings_of(self, result: TrialResult) -> dict[str, Any] | None:
        """A trial's values of the keys that are searched here; None where the space does not offer them."""
        values: dict[str, Any] = {}
        config = OmegaConf.create(result.config)
        for key in self._space.keys:
            if not key.active({**dict.fromkeys(self._searched), **values}, self._base):
                continue
            is_group = key.name in self._base.hydra.runtime.choices
            named = result.searched.get(key.name, OmegaConf.select(config, f"{key.name}.name")) if is_group else None
            value = named if is_group else OmegaConf.select(config, key.name)
            value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            suggested = key.suggested_for(value)
            if suggested is NOT_OFFERED:
                return None
            values[key.name] = suggested
        return values

    def _numbers(self, result: TrialResult, here: TrialConfig, differing: _Differences) -> Iterator[tuple[str, float]]:
        """What a trial with the same settings would measure here, too."""
        complete = result.state is State.COMPLETE
        if complete and not differing.quality:
            yield from self._values(result, BearsOn.QUALITY)
        on_gpu = effective_device(here.train.device) == "cuda"
        peak = result.value(PEAK_MEMORY.name)
        on_same_kind = (measured_on(result) == "cuda") == on_gpu
        if peak is not None and not result.cost_from and not differing.memory and on_same_kind:
            yield PEAK_MEMORY.name, peak
        if complete and not differing.speed and result.device in (gpu_names() if on_gpu else [cpu_name()]):
            yield from self._values(result, BearsOn.COST)
            if not differing.quality:
                seconds = beside_objectives(result)
                yield from ((name, seconds[name]) for name in (TRAINING_SECONDS, PROBE_SECONDS) if name in seconds)

    def _values(self, result: TrialResult, of: BearsOn) -> Iterator[tuple[str, float]]:
        """Its own values of the objectives of a kind; what something disturbed is left out."""
        for objective in self._objectives:
            is_cost = of is BearsOn.COST
            borrowed = result.cost_from if is_cost else result.accuracy_from
            if objective_quantity(objective).of is not of or borrowed or objective.name == PEAK_MEMORY.name:
                continue
            if is_cost and result.measurements.get("disturbed"):
                continue
            if (value := result.value(objective.name)) is not None:
                yield objective.name, value

    def _differences(self, here: TrialConfig, there: TrialConfig) -> _Differences:
        ours = {key: (value, bearing) for key, value, bearing in bearings(here)}
        theirs = {key: value for key, value, _ in bearings(there)}
        of: dict[str, set[str]] = {QUALITY: set(), MEMORY: set(), SPEED: set()}
        for key, (value, bearing) in ours.items():
            other = theirs.get(key)
            if value == other or key in self._searched:
                continue
            if QUALITY in bearing.numbers or (bearing.rounding and bearing.rounding(value) != bearing.rounding(other)):
                of[QUALITY].add(key)
            if key in _NO_COST or key.startswith("data."):
                continue
            if bearing.cost is None or bearing.cost(value) != bearing.cost(other):
                for number in (MEMORY, SPEED):
                    of[number] |= {key} if number in bearing.numbers else set()
        if _shapes(here.data) != _shapes(there.data):
            of[MEMORY].add("data")
            of[SPEED].add("data")
        return _Differences(quality=frozenset(of[QUALITY]), memory=frozenset(of[MEMORY]), speed=frozenset(of[SPEED]))


def described(study: str, trials: int, prior: Sequence[PriorTrial]) -> str:
    """What was learnt from a study, in a line.

    Args:
        study: Its name.
        trials: How many it has.
        prior: What they say.
    """
    if not prior:
        return f"study.learn_from: {study}: none of its {counted(trials, 'trial')} could be one of this study"
    names = dict.fromkeys(name for trial in prior for name in trial.numbers)
    told = [f"{name} of {sum(name in trial.numbers for trial in prior):,}" for name in names]
    trends = dict.fromkeys(name for trial in prior for name in trial.trends)
    told += [f"the trend of {name} of {sum(name in trial.trends for trial in prior):,}" for name in trends]
    return f"study.learn_from: {study}: of its {counted(trials, 'trial')} {', '.join(told)}"


def _shapes(data: DataConfig) -> tuple[Any, ...]:
    """What of a data set memory and speed depend on."""
    modalities = sorted((name, len(m.bands), data.frames_of(name)) for name, m in data.modalities.items())
    read = (data.datamodule, data.workers, data.in_memory, data.cut)
    return (len(data.bands), modalities, data.tile_px, data.num_classes, data.frames, data.frames_for_one_date, read)
