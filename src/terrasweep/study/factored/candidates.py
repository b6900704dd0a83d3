"""Whole candidates: drawn from the space by its own rules, grouped by what their quality and their cost depend on."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from terrasweep.study.factored.encoding import Encoder
from terrasweep.study.factored.quantities import BearsOn, Predict, Prediction, Settings

Identity = tuple[tuple[str, str], ...]
"""Settings as something that can be compared and sorted."""
Keys = Callable[[Settings], tuple[Settings, Settings]]
"""The settings that bear on a candidate's quality, and those that bear on its cost."""
_TRIES = 4
"""How many are drawn at most for each that is wanted, since draws repeat themselves."""


class Draw(Protocol):
    """Draws whole candidates."""

    def __call__(self, count: int, rng: np.random.Generator, held: Settings, /) -> Iterable[Settings]:
        """So many candidates; where a setting in ``held`` is active, it has that value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A configuration that could be tried."""

    settings: Settings
    identity: Identity
    quality: Identity
    """Candidates with the same one have the same quality."""
    cost: Identity
    """Candidates with the same one have the same memory and speed."""
    rows: Mapping[BearsOn, NDArray[np.float64]]
    """What bears on each kind of quantity, as numbers."""
    predict: Predict | None

    @functools.cached_property
    def predicted(self) -> Mapping[str, Prediction]:
        """What is known of its measurements before; asked for once, when it is needed."""
        return (self.predict(self.settings) if self.predict else None) or {}

    def key(self, of: BearsOn) -> Identity:
        """What tells candidates with another number of this kind apart."""
        if of is BearsOn.BOTH:
            return self.identity
        return self.quality if of is BearsOn.QUALITY else self.cost


def identity_of(settings: Settings) -> Identity:
    """What tells settings apart, in any order."""
    return tuple(sorted((name, repr(value)) for name, value in settings.items()))


def draw_value(distribution: BaseDistribution, rng: np.random.Generator) -> Any:
    """A value of one of Optuna's distributions, each as likely as any other on its scale."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(rng.random() * len(distribution.choices))]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    if isinstance(distribution, FloatDistribution) and step is None:
        ends = np.log([low, high]) if distribution.log else np.array([low, high])
        drawn = float(rng.uniform(*ends))
        return min(max(math.exp(drawn) if distribution.log else drawn, low), high)
    if distribution.log:
        return min(max(round(math.exp(rng.uniform(math.log(low - 0.5), math.log(high + 0.5)))), int(low)), int(high))
    assert step is not None
    drawn = low + step * int(rng.integers(math.floor((high - low) / step + 1e-9) + 1))
    return drawn if isinstance(distribution, IntDistribution) else min(drawn, high)


def draw_independently(space: Mapping[str, BaseDistribution]) -> Draw:
    """Candidates of a space without conditions."""

    def draw(count: int, rng: np.random.Generator, held: Settings, /) -> Iterable[Settings]:
        for _ in range(count):
            yield {n: held[n] if n in held else draw_value(distribution, rng) for n, distribution in space.items()}

    return draw


def split_by(quality: Iterable[str], cost: Iterable[str]) -> Keys:
    """Keys of a space in which the names alone say what a setting bears on."""
    of_quality, of_cost = frozenset(quality), frozenset(cost)

    def keys(settings: Settings) -> tuple[Settings, Settings]:
        return (
            {name: value for name, value in settings.items() if name in of_quality},
            {name: value for name, value in settings.items() if name in of_cost},
        )

    return keys


class Candidates:
    """Draws candidates, and keeps what is known of each.

    The same seed gives the same ones, whatever was asked for before.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        draw: Draw,
        keys: Keys,
        predict: Predict | None,
        *,
        seed: int,
        drawn: int,
    ) -> None:
        """Args: ``drawn``: candidates that are looked at each time."""
        self._draw, self._keys, self._predict, self._seed = draw, keys, predict, seed
        self._made: dict[Identity, Candidate] = {}
        self._rows: dict[tuple[BearsOn, Identity], NDArray[np.float64]] = {}
        self._members: dict[tuple[Identity, int], list[Candidate]] = {}
        found = list(self._unlike(drawn, self._rng("pool"), {}))
        split = [keys(settings) for settings in found]
        self._encoders = {
            BearsOn.QUALITY: Encoder(space, [quality for quality, _ in split]),
            BearsOn.COST: Encoder(space, [cost for _, cost in split]),
            BearsOn.BOTH: Encoder(space, found),
        }
        self.pool = [self.of(settings) for settings in found]

    def of(self, settings: Settings) -> Candidate:
        """The candidate with these settings."""
        settings = {n: value.item() if isinstance(value, np.generic) else value for n, value in settings.items()}
        identity = identity_of(settings)
        if identity not in self._made:
            quality, cost = self._keys(settings)
            of_quality, of_cost = identity_of(quality), identity_of(cost)
            rows = {
                BearsOn.QUALITY: self._row(BearsOn.QUALITY, of_quality, quality),
                BearsOn.COST: self._row(BearsOn.COST, of_cost, cost),
                BearsOn.BOTH: self._row(BearsOn.BOTH, identity, settings),
            }
            self._made[identity] = Candidate(
                settings=settings,
                identity=identity,
                quality=of_quality,
                cost=of_cost,
                rows=rows,
                predict=self._predict,
            )
        return self._made[identity]

    def _row(self, of: BearsOn, key: Identity, settings: Settings) -> NDArray[np.float64]:
        """The numbers of what shares a key, written once."""
        if (of, key) not in self._rows:
            self._rows[of, key] = self._encoders[of].row(settings)
        return self._rows[of, key]

    def members(self, candidate: Candidate, count: int) -> list[Candidate]:
        """Candidates of the same quality, itself among them; drawn once."""
        key = (candidate.quality, count)
        if key not in self._members:
            held, _ = self._keys(candidate.settings)
            drawn = map(self.of, self._unlike(count, self._rng("members", candidate.quality), held))
            self._members[key] = [member for member in drawn if member.quality == candidate.quality]
        return list({c.identity: c for c in [candidate, *self._members[key]]}.values())

    def neighbours(self, candidate: Candidate, each: int, number: int) -> list[Candidate]:
        """Candidates that differ in one setting, and in what depends on it.

        Args:
            candidate: Whose.
            each: How many per setting.
            number: Others for each.
        """
        found: list[Candidate] = []
        for name in candidate.settings:
            held = {other: value for other, value in candidate.settings.items() if other != name}
            found += map(self.of, self._draw(each, self._rng("neighbours", number, candidate.identity, name), held))
        return found

    def fresh(self, count: int, number: int) -> list[Candidate]:
        """Other candidates than those of the pool, others for each number."""
        return [self.of(settings) for settings in self._unlike(count, self._rng("fresh", number), {})]

    def _rng(self, *purpose: Any) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(repr(purpose).encode())])

    def _unlike(self, count: int, rng: np.random.Generator, held: Settings) -> Sequence[Settings]:
        """Up to so many settings, no two alike."""
        found: dict[Identity, Settings] = {}
        for _ in range(_TRIES):
            before = len(found)
            for settings in self._draw(count, rng, held):
                found.setdefault(identity_of(settings), settings)
            if len(found) >= count or len(found) == before:
                break
        return list(found.values())[:count]
