"""Predictions of many trials at once: what is known is read, what is alike is traced once. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from terrasweep import process
from terrasweep.config.schema import TrialConfig
from terrasweep.predict import kept_predictions
from terrasweep.predict.kept_predictions import dependencies, digest, kept_prediction
from terrasweep.predict.other_optimizer import with_other_optimizer
from terrasweep.predict.prediction import Prediction
from terrasweep.process.parent import Limits

_CHILD = "terrasweep.predict.in_processes:predict_families"
_USUAL, _PAGED = "adamw", "paged_adamw8bit"
_BATCH = "train.batch_size"
_NO_PART_IN_STATES = ("train.batch_size", "train.accumulate", "data.tile_px", "checkpointing", "offload")
"""Keys, and groups of them, that bear on no optimizer's state."""

Hear = Callable[[int, int], None]
"""Takes how many configurations have an answer, and of how many."""
Answer = Prediction | str
"""Or why there is none."""


def _unheard(done: int, total: int) -> None:
    """Go on without telling."""


@dataclass(frozen=True, kw_only=True)
class ManyPredictions:
    """What came out."""

    predictions: list[Prediction | None]
    """By the place of a configuration; None where there is none."""
    refused: dict[int, str] = field(default_factory=dict)
    """By place, why there is none."""
    new: int = 0
    """How many of them were not known before, what is alike counted once."""


def predict_all(
    configs: Sequence[TrialConfig], device: str, log: Path, hear: Hear = _unheard, *, processes: int | None = None
) -> ManyPredictions:
    """Predict trials in processes beside each other, and keep what comes out.

    Args:
        configs: With bands, tile and classes.
        device: ``cpu`` or ``cuda``; none is needed.
        log: Takes what the libraries print.
        hear: Is told of the progress.
        processes: At most so many; None: as there are processors.
    """
    places = _alike(configs, device)
    firsts = {key: traced_as(configs[alike[0]]) for key, alike in places.items()}
    kept = {key: kept_prediction(config, device) for key, config in firsts.items()}
    answers: dict[str, Answer] = {key: known for key, known in kept.items() if known is not None}
    unknown = {key: config for key, config in firsts.items() if key not in answers}
    work = _Work(device, log, processes or len(os.sched_getaffinity(0)), answers)
    work.tell = lambda: hear(sum(len(places[key]) for key in answers), len(configs))
    follows = _find_followers(firsts, unknown.keys(), device)
    work.trace({key: config for key, config in unknown.items() if key not in follows})
    for key, (usual, reference) in follows.items():
        if (found := _derived(answers[usual], answers[reference])) is not None:
            answers[key] = found
            kept_predictions.keep(found, unknown[key])
    work.trace({key: unknown[key] for key in follows if key not in answers})
    return _in_places(answers, places, len(configs), new=len(unknown))


def traced_as(config: TrialConfig) -> TrialConfig:
    """The trial whose trace is the same: the state of a paged optimizer has the same size in its pages."""
    if config.optimizer.name != _PAGED:
        return config
    return replace(config, optimizer=replace(config.optimizer, name="adamw8bit"))


@dataclass
class _Work:
    """Has configurations traced in a child, and puts what it says among the answers."""

    device: str
    log: Path
    processes: int
    answers: dict[str, Answer]
    tell: Callable[[], None] = lambda: None

    def trace(self, configs: Mapping[str, TrialConfig]) -> None:
        """Find an answer for each, by its key."""
        if not configs:
            return
        keys = list(configs)

        def heard(content: dict[str, Any]) -> None:
            for kind in ("predictions", "refused"):
                self.answers.update({keys[number]: answer for number, answer in content.get(kind, {}).items()})
            self.tell()

        self.tell()
        families = _families(list(configs.values()), self.device)
        arguments = {"families": families, "device": self.device, "processes": min(self.processes, len(families))}
        outcome = process.run(_CHILD, arguments, self.log, Limits(), hear=heard)
        for key in keys:
            self.answers.setdefault(key, str(outcome.error or "no answer came"))


def _alike(configs: Sequence[TrialConfig], device: str) -> dict[str, list[int]]:
    """Places of configurations that have the same prediction, by what that is kept under."""
    places: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        places.setdefault(digest(dependencies(traced_as(config), device)), []).append(place)
    return places


def _families(configs: Sequence[TrialConfig], device: str) -> list[list[tuple[int, TrialConfig]]]:
    """Configurations that differ in the batch alone, with their places: most of a family follows from two of it."""
    families: dict[str, list[tuple[int, TrialConfig]]] = {}
    for place, config in enumerate(configs):
        families.setdefault(_digest_without(config, device, (_BATCH,)), []).append((place, config))
    return list(families.values())


def _find_followers(
    firsts: Mapping[str, TrialConfig], unknown: Collection[str], device: str
) -> dict[str, tuple[str, str]]:
    """Of configurations with another optimizer the keys that a prediction follows from.

    That with the usual optimizer, and one of the same parameters that learn with the other one, which is traced.
    """
    usual = {
        _digest_without(config, device, ("optimizer",)): key
        for key, config in firsts.items()
        if config.optimizer.name == _USUAL
    }
    references: dict[str, str] = {}
    follows: dict[str, tuple[str, str]] = {}
    for key, config in sorted(firsts.items(), key=lambda item: (item[0] in unknown, item[1].train.batch_size)):
        sibling = usual.get(_digest_without(config, device, ("optimizer",)))
        if config.optimizer.name == _USUAL or sibling is None:
            continue
        reference = references.setdefault(_digest_without(config, device, _NO_PART_IN_STATES), key)
        if key in unknown and reference != key:
            follows[key] = sibling, reference
    return follows


def _derived(usual: Answer, reference: Answer) -> Prediction | None:
    if isinstance(usual, Prediction) and isinstance(reference, Prediction):
        return with_other_optimizer(usual, reference)
    return None


def _digest_without(config: TrialConfig, device: str, keys: Sequence[str]) -> str:
    """What a prediction depends on but for some keys or groups of keys."""
    depends_on = dependencies(config, device)
    return digest({key: v for key, v in depends_on.items() if key not in keys and key.partition(".")[0] not in keys})


def _in_places(
    answers: Mapping[str, Answer], places: Mapping[str, list[int]], total: int, *, new: int
) -> ManyPredictions:
    predictions: list[Prediction | None] = [None] * total
    refused: dict[int, str] = {}
    for key, alike in places.items():
        for place in alike:
            if isinstance(answer := answers[key], Prediction):
                predictions[place] = answer
            else:
                refused[place] = answer
    return ManyPredictions(predictions=predictions, refused=refused, new=new)
