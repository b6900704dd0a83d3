"""Which configurations of a search space have to be looked at, so that each model, and each use of a knob, is seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig
from optuna.distributions import BaseDistribution, CategoricalDistribution

from terrasweep.study.search_space import SearchKey, SearchSpace
from terrasweep.trial.check_models import KNOBS

_MODEL = ("backbone", "neck", "decoder", "task", "data")
_NO_PART = (
    *("tuning.rank", "tuning.alpha_ratio", "tuning.dropout", "tuning.use_dora", "tuning.use_rslora"),
    "tuning.frozen_dtype",
)
"""Settings of the knobs that bear on no choice of a model's parts; neither does how weights are packed."""

Values = dict[str, Any]


def combinations(space: SearchSpace, base: DictConfig) -> Iterator[tuple[Values, tuple[str, ...]]]:
    """Values of searched keys, and the knobs to look at with them; the keys that they leave out play no part.

    Each model of the space comes with each use of each knob, but not with all uses of all of them together.
    """
    models = list(assignments(with_ancestors(space, [key for key in space.keys if _section(key) in _MODEL]), base))
    uses: dict[str, tuple[Values, list[str]]] = {}
    for knob in KNOBS:
        own = [key for key in space.keys if _section(key) == knob and key.name not in _NO_PART]
        for values in assignments(with_ancestors(space, own), base):
            uses.setdefault(repr(values), (values, []))[1].append(knob)
    for model, (values, knobs) in itertools.product(models, uses.values()):
        if all(values.get(name, value) == value for name, value in model.items()):
            yield {**model, **values}, tuple(knobs)


def _section(key: SearchKey) -> str:
    return key.name.partition(".")[0]


def with_ancestors(space: SearchSpace, keys: list[SearchKey]) -> list[SearchKey]:
    """The keys and those that their conditions ask for, in the space's order."""
    wanted = {key.name for key in keys}
    for key in reversed(space.keys):  # What a condition asks for comes before.
        if key.name in wanted:
            wanted |= {condition.key for condition in key.conditions}
    return [key for key in space.keys if key.name in wanted]


def ends(distribution: BaseDistribution) -> list[Any]:
    """All choices; of a range its ends."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return list(dict.fromkeys(getattr(distribution, end) for end in ("low", "high")))


def assignments(
    keys: list[SearchKey], base: DictConfig, values_of: Callable[[BaseDistribution], list[Any]] = ends
) -> Iterator[Values]:
    """All values of the keys that are active together.

    Args:
        keys: What the condition of one asks for comes before it.
        base: What is fixed, with the defaults of what is searched.
        values_of: Those of a distribution.
    """
    inactive: Values = dict.fromkeys(key.name for key in keys)

    def choose(index: int, chosen: Values) -> Iterator[Values]:
        if index == len(keys):
            yield chosen
        elif keys[index].active({**inactive, **chosen}, base):
            for value in values_of(keys[index].distribution):
                yield from choose(index + 1, {**chosen, keys[index].name: value})
        else:
            yield from choose(index + 1, chosen)

    return choose(0, {})
