"""Searches that ``search.py`` compares, and how one of them goes through a recorded table."""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from benchmarks.search_table import PROBE_SECONDS, Row, Settings, Table, identity
from hydra.core.config_store import ConfigStore
from hydra.utils import instantiate
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

import hydra_plugins.terrasweep_sweeper.config  # noqa: F401 - it fills the store
from terrasweep.results import pareto
from terrasweep.study.factored import quantities
from terrasweep.study.factored.candidates import draw_value, split_by
from terrasweep.study.factored.quantities import BearsOn, Predict, Prediction, Quantity
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.samplers import ignores_pruned

MOST_FORBIDDEN = 100
"""Proposals in a row that the table has no row for, until one of its rows is taken by chance."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What is the same for all samplers of a comparison."""

    table: Table
    trials: int
    """At most."""
    predictor_error: float
    """Relative, of memory, speed and seconds."""
    enough: float = 0.9999
    """Share of the best hypervolume at which a search is not followed further."""


@dataclass(kw_only=True)
class Course:
    """How a search went."""

    seconds: list[float] = field(default_factory=list)
    """Simulated, after each trial."""
    shares: list[float] = field(default_factory=list)
    """Of the best hypervolume, after each trial."""
    trainings: int = 0
    own_seconds: list[float] = field(default_factory=list)
    """What the sampler itself took per proposal."""

    def seconds_to(self, share: float) -> float | None:
        """Simulated seconds until this share of the best hypervolume; None where it was not reached."""
        return next((s for s, reached in zip(self.seconds, self.shares, strict=True) if reached >= share), None)

    def area(self, horizon: float) -> float:
        """Mean share over the simulated seconds up to a horizon; after its end a search keeps what it has."""
        starts = [0.0, *(min(s, horizon) for s in self.seconds), horizon]
        held = [0.0, *self.shares]
        return sum(share * (b - a) for share, a, b in zip(held, starts, starts[1:], strict=False)) / horizon


Build = Callable[[Replay, int], BaseSampler]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A search."""

    build: Build
    reuse: bool = False
    """Whether a quality that was trained needs no other training."""
    told_of_misses: bool = True
    """Whether infeasible trials are told as terrasweep tells them; else they are failures."""
    what: str


def hydra_sampler(name: str) -> Build:
    """A sampler with the settings that its Hydra plugin ships."""

    def build(replay: Replay, seed: int) -> BaseSampler:
        node = ConfigStore.instance().repo["hydra"]["sweeper"]["sampler"][f"{name}.yaml"].node
        given: dict[str, Any] = OmegaConf.to_container(OmegaConf.create(node))  # type: ignore[assignment]
        given |= {"seed": seed}
        if "n_startup_trials" in given and given["n_startup_trials"] is None:
            given["n_startup_trials"] = max(4, replay.trials // 4)
        sampler: BaseSampler = instantiate({k: v for k, v in given.items() if v is not None})
        return sampler

    return build


def factored(
    *, predictor: bool = True, error: float | None = None, reuse: bool = True, told: bool = False, **settings: Any
) -> Build:
    """The factored sampler on a table; ``told`` with each accuracy beforehand, which no search knows."""

    def build(replay: Replay, seed: int) -> BaseSampler:
        table = replay.table
        space = {key: CategoricalDistribution(values) for key, values in table.choices().items()}
        wrong = replay.predictor_error if error is None else error
        predict = predictions(table, wrong, told=told) if predictor else None
        return FactoredSampler(
            space,
            [
                Quantity(name=n, of=BearsOn.QUALITY if n in table.of_quality else BearsOn.COST, maximize=up)
                for n, up in table.objectives.items()
            ],
            keys=split_by(table.quality, table.cost),
            draw=draw_rows(table),
            predict=predict,
            allowed=lambda settings: table.row(dict(settings)) is not None,
            limited=[Quantity(name=n, of=BearsOn.COST, most=most) for n, most in table.limits.items()],
            reference=lambda _: table.reference,
            reuse=reuse,
            seed=seed,
            **settings,
        )

    return build


PEERS: dict[str, Peer] = {
    "random": Peer(build=hydra_sampler("random"), told_of_misses=False, what="random search"),
    "tpe": Peer(build=hydra_sampler("tpe"), told_of_misses=False, what="hydra-optuna-sweeper's TPE as shipped"),
    "nsgaii": Peer(
        build=hydra_sampler("nsgaii"), told_of_misses=False, what="hydra-optuna-sweeper's NSGA-II as shipped"
    ),
    "optuna": Peer(
        build=lambda _, seed: optuna.samplers.TPESampler(seed=seed), what="Optuna's own default, told of misses"
    ),
    "gp": Peer(build=lambda _, seed: optuna.samplers.GPSampler(seed=seed), what="Optuna's Gaussian process"),
    "grouped_tpe": Peer(build=hydra_sampler("grouped_tpe"), reuse=True, what="terrasweep's grouped TPE, with reuse"),
    "factored": Peer(build=factored(), reuse=True, what="terrasweep's factored sampler"),
    "factored-told": Peer(build=factored(told=True), reuse=True, what="each accuracy is known beforehand: a bound"),
    "factored-15%": Peer(build=factored(error=0.15), reuse=True, what="predictions wrong by 15 %"),
    "factored-40%": Peer(build=factored(error=0.40), reuse=True, what="predictions wrong by 40 %"),
    "factored-no-reuse": Peer(build=factored(reuse=False), what="every trial is trained"),
    "factored-no-predictor": Peer(build=factored(predictor=False), reuse=True, what="cost from probes alone"),
    "factored-no-cost-model": Peer(build=factored(by_seconds=False), reuse=True, what="seconds don't count"),
    "factored-no-uncertainty": Peer(build=factored(sure=True), reuse=True, what="models are taken to be right"),
}


def replay(one: Replay, peer: Peer, seed: int) -> Course:
    """Search the table, answering from its rows, until its trials or its hypervolume are used up."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table, course = one.table, Course()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            sampler=peer.build(one, seed),
            directions=["maximize" if up else "minimize" for up in table.objectives.values()],
        )
        best = table.best_hypervolume()
        front: list[list[float]] = []
        trained: set[Any] = set()
        for trial, row, own in _proposals(one, study, seed):
            quality = identity({k: v for k, v in row.settings.items() if k in table.quality})
            probed = peer.reuse and quality in trained
            seconds = row.probe_seconds if probed else row.train_seconds
            values = table.values(row)
            _tell(study, trial, row, table, values, peer, seconds, probed=probed)
            if values is not None:
                course.trainings += not probed
                trained.add(quality)
                front = _with(front, values, list(table.objectives.values()))
            course.own_seconds.append(own)
            course.seconds.append((course.seconds or [0.0])[-1] + seconds)
            course.shares.append(table.hypervolume(front) / best)
            if len(course.seconds) >= one.trials or course.shares[-1] >= one.enough:
                return course
    return course


def _proposals(one: Replay, study: optuna.Study, seed: int) -> Iterator[tuple[Trial, Row, float]]:
    """Trials with their rows and the sampler's seconds; what the table lacks is forbidden, and does not count."""
    rng, in_vain, own = np.random.default_rng([seed, 7]), 0, 0.0
    while True:
        began = time.perf_counter()
        trial = study.ask()
        settings = _suggest(one.table, trial)
        own += time.perf_counter() - began
        if (row := one.table.row(settings)) is not None:
            yield trial, row, own
            in_vain, own = 0, 0.0
            continue
        trial.set_constraint("miss", 1.0)
        study.tell(trial, state=TrialState.PRUNED)
        in_vain += 1
        if in_vain % MOST_FORBIDDEN == 0:
            study.enqueue_trial(one.table.rows[int(rng.integers(len(one.table.rows)))].settings)


def _suggest(table: Table, trial: Trial) -> Settings:
    settings: Settings = {}
    for key, values in table.choices().items():
        if table.is_active(key, settings):
            settings[key] = trial.suggest_categorical(key, values)
    return settings


def _tell(
    study: optuna.Study,
    trial: Trial,
    row: Row,
    table: Table,
    values: list[float] | None,
    peer: Peer,
    seconds: float,
    *,
    probed: bool,
) -> None:
    name = quantities.PROBE_SECONDS if probed else quantities.TRAINING_SECONDS
    limited = {n: row.measured[n] for n in table.limits if n in row.measured}
    trial.set_user_attr(quantities.MEASURED, {name: seconds, **limited})
    if values is not None:
        study.tell(trial, values)
    elif not peer.told_of_misses:
        study.tell(trial, state=TrialState.FAIL)
    else:
        misses = [limited[n] / most - 1 for n, most in table.limits.items() if limited.get(n, 0.0) > most]
        trial.set_constraint("miss", max(misses, default=1.0))
        complete = [t.values for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
        if ignores_pruned(study.sampler) and complete:
            columns = zip(zip(*complete, strict=True), table.objectives.values(), strict=True)
            study.tell(trial, [min(column) if up else max(column) for column, up in columns])
        else:
            study.tell(trial, state=TrialState.PRUNED)


def _with(front: list[list[float]], values: list[float], maximize: list[bool]) -> list[list[float]]:
    rows = [*front, values]
    return [rows[index] for index in pareto.front(rows, maximize)]


def draw_rows(table: Table) -> Any:
    """Draws configurations by the table's conditions; those that it lacks are left out, as rules leave them out."""
    space = {key: CategoricalDistribution(values) for key, values in table.choices().items()}

    def draw(count: int, rng: np.random.Generator, held: Mapping[str, Any], /) -> Iterator[Settings]:
        for _ in range(count):
            settings: Settings = {}
            for key, distribution in space.items():
                if table.is_active(key, settings):
                    settings[key] = held[key] if key in held else draw_value(distribution, rng)
            if table.row(settings) is not None:
                yield settings

    return draw


def predictions(table: Table, error: float, *, told: bool = False) -> Predict:
    """A predictor of memory, speed and seconds that is wrong by so much, in the same way each time.

    Args:
        table: What is searched.
        error: Relative.
        told: Whether it knows what the quality keys bear on, too, and that exactly.
    """

    def predict(settings: Mapping[str, Any]) -> Mapping[str, Prediction] | None:
        row = table.row(dict(settings))
        if row is None:
            return None
        cost = identity({k: v for k, v in settings.items() if k in table.cost})
        rng = np.random.default_rng(zlib.crc32(repr(cost).encode()))
        wrong = {n: float(np.exp(error * rng.standard_normal())) for n in (*sorted(row.measured), PROBE_SECONDS)}
        found = {
            n: Prediction(value=value * wrong[n], relative_error=error)
            for n, value in row.measured.items()
            if n not in table.of_quality
        }
        if told:
            known = {
                n: Prediction(value=row.measured[n], relative_error=1e-6) for n in table.of_quality & set(row.measured)
            }
            found |= known
        slower = wrong[PROBE_SECONDS]
        for name, seconds in (
            (quantities.TRAINING_SECONDS, row.train_seconds),
            (quantities.PROBE_SECONDS, row.probe_seconds),
        ):
            found[name] = Prediction(value=seconds * slower, relative_error=error)
        return found

    return predict
