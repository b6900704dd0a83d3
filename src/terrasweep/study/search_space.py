"""The search space: ranges in hydra-optuna-sweeper's grammar, each with optional conditions.

::

    KEY: RANGE                                   tuning.rank: choice(2, 4, 8)
    KEY: RANGE if OTHER=VALUE[|VALUE...]         tuning.rank: choice(2, 4, 8) if tuning=lora
    KEY: RANGE if OTHER!=VALUE and ANOTHER=...   train.lr: interval(1e-5, 1e-3) if tuning!=frozen and precision=bf16

A key whose conditions don't hold is not suggested, and keeps the value that its group gives it. ``OTHER`` is another
key of the space, or any key or group of the configuration.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.wording import nearest
from terrasweep.study.override_text import as_override
from terrasweep.study.ranges import read_meanings, read_range, suggest

_ABSENT = object()
NOT_OFFERED = object()
"""Instead of a suggested value, which may be None."""
_CONDITION = re.compile(r"^(?P<key>[\w./@]+)(?P<relation>!?=)(?P<values>[^=!]+)$")


@dataclass(frozen=True)
class Condition:
    """``KEY=A|B`` (one of) or ``KEY!=A|B`` (none of)."""

    key: str
    listed_values: tuple[str, ...]
    negated: bool

    def holds(self, value: Any) -> bool:
        """Whether it holds for a value; None also stands for a key that is not active itself."""
        return any(_same(text, value) for text in self.listed_values) != self.negated


@dataclass(frozen=True)
class SearchKey:
    """One searched key."""

    name: str
    text: str
    distribution: BaseDistribution
    conditions: tuple[Condition, ...]
    meanings: Mapping[Any, Any] = field(default_factory=dict)
    """What choices stand for that Optuna stores as text: lists, maps, and texts in quotes."""

    def override(self, suggested: Any) -> str:
        """A suggested value as Hydra's override."""
        return as_override(self.name, self.meant(suggested))

    def meant(self, suggested: Any) -> Any:
        """The value of the configuration that a suggested one stands for."""
        return self.meanings.get(suggested, suggested) if isinstance(suggested, str) else suggested

    def suggested_for(self, value: Any) -> Any:
        """What is suggested where the configuration has a value; NOT_OFFERED where it never is."""
        if isinstance(self.distribution, CategoricalDistribution):
            matching = (c for c in self.distribution.choices if _equal(self.meant(c), value))
            return next(matching, NOT_OFFERED)
        assert isinstance(self.distribution, IntDistribution | FloatDistribution)
        low, high, step = self.distribution.low, self.distribution.high, self.distribution.step
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return NOT_OFFERED
        steps = 0.0 if step is None else (value - low) / step
        return value if math.isclose(steps, round(steps), abs_tol=1e-9) else NOT_OFFERED

    def active(self, values: Mapping[str, Any], base: DictConfig) -> bool:
        """Whether all conditions hold, given the values suggested so far and the composed configuration."""
        return all(condition.holds(_lookup(condition.key, values, base)) for condition in self.conditions)

    def may_be_active(self, searched: Collection[str], base: DictConfig) -> bool:
        """Whether the conditions on what is not searched hold; only the others change from trial to trial."""
        fixed = (condition for condition in self.conditions if condition.key not in searched)
        return all(condition.holds(_lookup(condition.key, {}, base)) for condition in fixed)


@dataclass(frozen=True)
class SearchSpace:
    """The searched keys, in order, and the overrides that hold for every trial."""

    keys: tuple[SearchKey, ...]
    fixed: tuple[str, ...]

    def suggest(self, trial: Any, base: DictConfig) -> dict[str, Any]:
        """Ask an Optuna trial for a value of each active key."""
        values: dict[str, Any] = {}
        for key in self.keys:
            if key.active({**{k.name: None for k in self.keys}, **values}, base):
                values[key.name] = suggest(trial, key.name, key.distribution)
        return values

    def values_of(self, composed: DictConfig, base: DictConfig) -> dict[str, Any]:
        """The searched values that a configuration has; none where the space does not offer it.

        Args:
            composed: The configuration, Hydra's own part included.
            base: What is fixed, with the defaults of what is searched.
        """
        values: dict[str, Any] = {}
        for key in self.keys:
            if key.active({**{k.name: None for k in self.keys}, **values}, base):
                value = key.suggested_for(_plain(_lookup(key.name, {}, composed)))
                if value is NOT_OFFERED:
                    return {}
                values[key.name] = value
        return values

    def overrides(self, suggested: Mapping[str, Any]) -> list[str]:
        """What :meth:`suggest` gave, as Hydra's overrides."""
        return [key.override(suggested[key.name]) for key in self.keys if key.name in suggested]


def parse_space(params: Mapping[str, str], arguments: list[str]) -> SearchSpace:
    """Read the space of a search-space file and the command line; the latter wins.

    Args:
        params: Key to range with conditions, from ``hydra.sweeper.params``.
        arguments: Overrides from the command line; sweeps among them join the space, others fix a key.

    Raises:
        InvalidConfig: A range or condition can't be read.
    """
    keys: dict[str, SearchKey] = {}
    for name, text in params.items():
        keys[str(name)] = _parse_key(str(name), str(text))
    fixed = []
    for override in OverridesParser.create().parse_overrides(arguments):
        if override.is_sweep_override():
            name = override.get_key_element()
            text = (override.input_line or "").split("=", 1)[1]
            inherited = keys[name].conditions if name in keys else ()
            conditions = keys[name].text.partition(" if ")[1:] if name in keys else ()
            text = "".join((text, *conditions))
            keys[name] = _searched(override, name, text, inherited)
        else:
            keys.pop(override.get_key_element().lstrip("+~"), None)
            fixed.append(override.input_line or "")
    return SearchSpace(tuple(_ordered(keys)), tuple(fixed))


def _ordered(keys: dict[str, SearchKey]) -> list[SearchKey]:
    """The keys in such an order that what a condition asks for is decided before; else as they were given."""
    sorter = TopologicalSorter({name: [c.key for c in key.conditions if c.key in keys] for name, key in keys.items()})
    try:
        return [keys[name] for name in sorter.static_order()]
    except CycleError as error:
        raise InvalidConfig(
            f"search space: {' -> '.join(error.args[1])} depend on each other; drop a condition"
        ) from error


def _parse_key(name: str, text: str) -> SearchKey:
    range_text, _, conditions = text.partition(" if ")
    try:
        override = OverridesParser.create().parse_override(f"{name}={range_text.strip()}")
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise InvalidConfig(f"search space: {name}: {text}: {reason}; see docs/search-spaces.md") from error
    if not override.is_sweep_override():
        raise InvalidConfig(
            f"search space: {name}: {text}: not a range; use choice(...), range(...) or interval(...), "
            "or fix the key in the sweep's file"
        )
    parsed = tuple(_parse_condition(name, part) for part in conditions.split(" and ")) if conditions else ()
    return _searched(override, name, text, parsed)


def _searched(override: Override, name: str, text: str, conditions: tuple[Condition, ...]) -> SearchKey:
    try:
        return SearchKey(name, text, read_range(override), conditions, read_meanings(override))
    except ValueError as error:
        raise InvalidConfig(f"search space: {name}: {text}: {error}") from error


def _parse_condition(name: str, text: str) -> Condition:
    match = _CONDITION.match(text.strip())
    if match is None:
        raise InvalidConfig(f"search space: {name}: condition {text.strip()!r}: use KEY=VALUE[|VALUE] or KEY!=VALUE")
    values = tuple(value.strip() for value in match["values"].split("|"))
    return Condition(match["key"], values, match["relation"] == "!=")


def unknown_conditions(space: SearchSpace, base: DictConfig) -> list[str]:
    """One line per condition that asks for a key which exists nowhere; it would never, or always, hold."""
    names = {key.name for key in space.keys}
    known = {*names, *base.hydra.runtime.choices}
    return [
        f"search space: {key.name}: {key.text}: there is no key {condition.key}; {nearest(condition.key, known)}"
        for key in space.keys
        for condition in key.conditions
        if condition.key not in known and OmegaConf.select(base, condition.key, default=_ABSENT) is _ABSENT
    ]


def _lookup(key: str, values: Mapping[str, Any], base: DictConfig) -> Any:
    if key in values:
        return values[key]
    choices = base.hydra.runtime.choices
    return choices[key] if key in choices else OmegaConf.select(base, key, default=None)


def _plain(value: Any) -> Any:
    """A value without OmegaConf's containers."""
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _equal(one: Any, other: Any) -> bool:
    """Whether two values of a configuration are the same; true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _same(text: str, value: Any) -> bool:
    """Whether a condition's text means a value: 1e-3 is 0.001, and true is True."""
    if value is None or isinstance(value, bool):
        return text.lower() == {None: "null", True: "true", False: "false"}[value]
    try:
        return float(text) == float(value)
    except (TypeError, ValueError):
        return text == str(value)
