"""What the factored sampler is told of memory and speed beforehand: traced for some candidates, estimated for others.

A trace takes seconds, and a space has thousands of candidates. Those that are about to run are traced, and a few that
are most unlike them; a Gaussian process over the searched keys that bear on memory and speed carries that to all
others, with its error. Traces are made between trials, so that none disturbs a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution

from terrasweep.config.schema import TrialConfig
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.measure.throughput import STEP_TIMES, THROUGHPUT, THROUGHPUT_MEDIAN
from terrasweep.study.factored.candidates import Draw, Identity, Keys, identity_of
from terrasweep.study.factored.encoding import Encoder
from terrasweep.study.factored.quantities import PROBE_SECONDS, TRAINING_SECONDS, Prediction, Settings
from terrasweep.study.trace_allowance import TraceAllowance
from terrasweep.trial.traced_costs import CostCalibration, ExpectedCost, TracedCost, kept_cost, trace_costs

READY = 8
"""How many candidates have to be traced before others are estimated by them; all of them, where there are fewer."""
_MOST_LOOKED_UP = 32
"""Candidates that are looked up among what is kept, before each batch of trials."""
_SAMPLE = 1000
"""Candidates that are drawn to know which there are."""
_SPREAD = 0.3
"""Of logarithms, where too few were traced to tell."""

_LENGTHS = ("train.batch_size", "train.max_steps", "train.untimed_steps", "probe.steps")

Compose = Callable[[Settings], TrialConfig | None]
"""A candidate's configuration with what its data tell; None where it can't be said, or may not run."""
Array = NDArray[np.float64]


class PredictedCosts:
    """Traces candidates of a study, and tells the sampler of all of them."""

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        base: DictConfig,
        *,
        keys: Keys,
        draw: Draw,
        compose: Compose,
        device: str,
        log: Path,
        allowance: TraceAllowance,
    ) -> None:
        """Say what is searched.

        Args:
            space: Every key's distribution.
            base: The composed configuration, with the defaults of what is searched.
            keys: A candidate's settings that bear on its quality, and those that bear on its cost.
            draw: Draws candidates.
            compose: Makes a candidate's configuration.
            device: ``cpu`` or ``cuda``: what trials run on.
            log: Takes what traces print.
            allowance: The time that they have.
        """
        self._space, self._keys, self._draw = space, keys, draw
        self._lengths_of_base = {key: OmegaConf.select(base, key) for key in _LENGTHS}
        self._compose, self._device, self._log, self.allowance = compose, device, log, allowance
        self._known: dict[Identity, Settings] = {}
        """A candidate for each cost, by the cost's identity."""
        self._rows: dict[Identity, Array] = {}
        self._traced: dict[Identity, TracedCost] = {}
        self._untraceable: set[Identity] = set()
        self._looked_up: set[Identity] = set()
        self._encoder: Encoder | None = None
        self._estimates: _Estimates | None = None
        self._expected: dict[Identity, ExpectedCost] = {}
        self.version = 0
        """Counts the moments at which something became known."""

    def __call__(self, settings: Settings) -> Mapping[str, Prediction]:
        """What is known of a candidate, now and later."""
        return _Predicted(self, settings, identity_of(self._keys(settings)[1]))

    def look_ahead(self, chosen: Sequence[Settings]) -> None:
        """Learn what is kept, trace as much as there is time for, and tell what follows.

        Args:
            chosen: Candidates that are about to run.
        """
        if self.allowance.affordable:
            with self.allowance.while_tracing(0):  # Hydra composes each choice of groups in a fraction of a second.
                encoder = self._known_encoder()
                wanted = [self._register(settings, encoder) for settings in chosen]
                self._look_up(wanted)
            if count := self.allowance.affordable:
                self._trace([*wanted, *self._unlike_traced(count)], count)
        if self._is_ready():
            self._tell()

    def find(self, settings: Settings, cost: Identity) -> Mapping[str, Prediction]:
        """What is known of a candidate at this moment; nothing until enough were traced.

        Args:
            settings: Its own.
            cost: Its identity by what bears on its cost.
        """
        if self._estimates is None:
            return {}
        if cost not in self._expected:
            self._register(settings, self._known_encoder())
            self._estimate([cost])
        return dict(_quantities(self._expected[cost], self._lengths(settings)))

    def _known_encoder(self) -> Encoder:
        """Made with the candidates that there are, when it is wanted first."""
        if self._encoder is None:
            drawn = list(self._draw(_SAMPLE, np.random.default_rng(0), {}))
            self._encoder = Encoder(self._space, [self._keys(settings)[1] for settings in drawn])
            for settings in drawn:
                self._register(settings, self._encoder)
        return self._encoder

    def _register(self, settings: Settings, encoder: Encoder) -> Identity:
        cost = self._keys(settings)[1]
        identity = identity_of(cost)
        if identity not in self._known:
            self._known[identity], self._rows[identity] = settings, encoder.row(cost)
        return identity

    def _look_up(self, wanted: Sequence[Identity]) -> None:
        """Take what was traced before, by this study or another one."""
        left = [i for i in dict.fromkeys([*wanted, *self._known]) if i not in self._looked_up and i not in self._traced]
        for identity in left[:_MOST_LOOKED_UP]:
            self._looked_up.add(identity)
            config = self._compose(self._known[identity])
            if config is not None and (cost := kept_cost(config)) is not None:
                self._traced[identity] = cost

    def _unlike_traced(self, count: int) -> list[Identity]:
        """Candidates most unlike those that are traced, and each other."""
        left = [i for i in self._known if i not in self._traced and i not in self._untraceable]
        if not left:
            return []
        rows = np.array([self._rows[identity] for identity in left])
        apart = np.full(len(left), np.inf)
        for identity in self._traced:
            apart = np.minimum(apart, ((rows - self._rows[identity]) ** 2).sum(axis=1))
        found = []
        for _ in range(min(count, len(left))):
            place = int(np.argmax(apart))
            found.append(left[place])
            apart = np.minimum(apart, ((rows - rows[place]) ** 2).sum(axis=1))
        return found

    def _trace(self, wanted: Sequence[Identity], count: int) -> None:
        configs: dict[Identity, TrialConfig] = {}
        for identity in dict.fromkeys(wanted):
            if len(configs) == count or identity in self._traced or identity in self._untraceable:
                continue
            config = self._compose(self._known[identity])
            if config is None:
                self._untraceable.add(identity)
            else:
                configs[identity] = config
        if not configs:
            return
        with self.allowance.while_tracing(len(configs)):
            costs = trace_costs(list(configs.values()), self._log, self.allowance.patience_s(len(configs)))
        found = {identity: cost for identity, cost in zip(configs, costs, strict=True) if cost is not None}
        self.allowance.note_answers(len(found))
        self._traced |= found
        self._untraceable |= configs.keys() - found.keys()

    def _is_ready(self) -> bool:
        left = [i for i in self._known if i not in self._traced and i not in self._untraceable]
        return bool(self._traced) and (len(self._traced) >= READY or not left)

    def _tell(self) -> None:
        """What follows from the traces, and from what trials have measured until now."""
        calibration = CostCalibration(self._device)
        self._expected = {identity: calibration.expected(cost) for identity, cost in self._traced.items()}
        rows = np.array([self._rows[identity] for identity in self._expected])
        self._estimates = _Estimates(rows, list(self._expected.values()))
        self._estimate([identity for identity in self._known if identity not in self._expected])
        self.version += 1

    def _estimate(self, identities: Sequence[Identity]) -> None:
        """What those come to that were not traced."""
        assert self._estimates is not None
        if identities:
            costs = self._estimates.of(np.array([self._rows[identity] for identity in identities]))
            self._expected |= dict(zip(identities, costs, strict=True))

    def _lengths(self, settings: Settings) -> _Lengths:
        batch_size, steps, untimed, probed = (
            settings.get(key, of_base) for key, of_base in self._lengths_of_base.items()
        )
        return _Lengths(
            batch_size=int(batch_size),
            steps=None if steps is None else int(steps) + int(untimed),
            probe_steps=int(probed) + int(untimed),
        )


class _Predicted(Mapping[str, Prediction]):
    """What is known of a candidate at the moment that it is asked for."""

    def __init__(self, costs: PredictedCosts, settings: Settings, cost: Identity) -> None:
        self._costs, self._settings, self._cost = costs, settings, cost
        self._version = -1
        self._found: Mapping[str, Prediction] = {}

    def _now(self) -> Mapping[str, Prediction]:
        if self._version != self._costs.version:
            self._version, self._found = self._costs.version, self._costs.find(self._settings, self._cost)
        return self._found

    def __getitem__(self, name: str) -> Prediction:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __bool__(self) -> bool:
        """Also where nothing is known yet: it may be later."""
        return True


class _Estimates:
    """Carries costs from candidates that were traced to others."""

    def __init__(self, rows: Array, costs: Sequence[ExpectedCost]) -> None:
        from terrasweep.study.factored.gaussian_process import GaussianProcess  # It imports scikit-learn, for a second.

        self._peaks, self._seconds = (
            GaussianProcess(rows, np.array([log(number) for number in numbers]), spread=_SPREAD, kernels={})
            for numbers in ([cost.peak_mib for cost in costs], [cost.step_seconds for cost in costs])
        )
        self._peak_error = float(np.median([cost.peak_error for cost in costs]))
        self._step_error = float(np.median([cost.step_error for cost in costs]))

    def of(self, rows: Array) -> list[ExpectedCost]:
        """Costs of candidates, whose errors are those of a trace, and of what lies between traces."""
        columns = (*self._peaks.predict(rows, with_noise=True), *self._seconds.predict(rows, with_noise=True))
        return [
            ExpectedCost(
                peak_mib=exp(peak),
                peak_error=hypot(self._peak_error, peak_sd),
                step_seconds=exp(seconds),
                step_error=hypot(self._step_error, seconds_sd),
            )
            for peak, peak_sd, seconds, seconds_sd in zip(*columns, strict=True)
        ]


@dataclass(frozen=True, kw_only=True)
class _Lengths:
    """What turns seconds of a step into other numbers."""

    batch_size: int
    steps: int | None
    """Of a training; None where only its data tell."""
    probe_steps: int


def _quantities(cost: ExpectedCost, lengths: _Lengths) -> Iterator[tuple[str, Prediction]]:
    """A cost as predictions of what the sampler models, by their names."""
    yield PEAK_MEMORY.name, Prediction(value=cost.peak_mib, relative_error=cost.peak_error)
    of_step = {
        THROUGHPUT.name: lengths.batch_size / cost.step_seconds,
        THROUGHPUT_MEDIAN.name: lengths.batch_size / cost.step_seconds,
        STEP_TIMES[50].name: cost.step_seconds,
        PROBE_SECONDS: lengths.probe_steps * cost.step_seconds,
    }
    if lengths.steps is not None:
        of_step[TRAINING_SECONDS] = lengths.steps * cost.step_seconds
    for name, value in of_step.items():
        yield name, Prediction(value=value, relative_error=cost.step_error)
