"""What is known of each trial's numbers, and how sure: values pooled over all that was measured of the same thing.

A number has two errors. Within one measurement its steps vary; between processes the whole level does, from where
memory lies to what else the machine does, and this is the larger one: only repeats in other processes show it (Kalibera
and Jones 2013, "Rigorous benchmarking in reasonable time"). Few trials are repeated often enough to tell their spread
alone. The spread is therefore pooled over all groups of a study that were measured more than once, as in an analysis of
variance (Fisher 1925): the squared distances from the groups' means, summed, over the degrees of freedom, summed. It
holds for every trial of the study, those that were measured once included, and intervals take Student's t with these
degrees of freedom.

The centre is the mean, of logarithms where the error is relative: the interval above is exact for it, and
isn't for a median. What would need a median, a measurement that something else
disturbed, is marked and left out instead.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from terrasweep.results.observations import Observation, OtherSeeds, cost_observations, finite, quality_observations
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

CONFIDENCE = 0.95
"""Share of all studies in which an interval covers the value that endless repeats would give."""
ALWAYS_ESTIMATED = ("accuracy", "throughput_samples_per_s", "peak_memory_mib")
"""Estimated whether they are objectives or not, since recommendations ask for them."""
MEMORY_AND_SPEED = frozenset(
    {"throughput_samples_per_s", "throughput_median_samples_per_s", "step_time_p50_s", "step_time_p95_s"}
    | {"step_time_p99_s", "peak_memory_mib", "peak_build_mib", "peak_allocated_mib", "peak_process_vram_mib"}
    | {"peak_host_memory_mib"}
)
"""What trials with the same ``cost_key`` share. Their errors are relative: they grow with the value."""
COUNTED = frozenset(
    {"trainable_parameters", "total_parameters", "weight_bytes", "gradient_bytes", "optimizer_bytes", "flops_per_step"}
    | {"model_flops_per_sample"}
)
"""What is counted has no error."""
LEARNED = frozenset({"accuracy", "train_loss"})
"""What trials with the same ``quality_key`` share, beside the task's metrics. Their errors don't grow with it."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is known of one number of one trial."""

    value: float
    """The mean of all that was measured of the same thing, in the number's unit."""
    low: float | None = None
    """Lower end of the 95 % interval; None where the error is unknown."""
    high: float | None = None
    standard_error: float | None = None
    """Of the value, in the number's unit; None where it is unknown."""
    freedom: float = math.inf
    """Degrees of freedom behind the standard error."""
    observations: int = 1
    """How many measurements the value is of."""
    held_back: float = 1.0
    """By which factor a speed may be better than it was measured, where something disturbed all of its measurements."""


@dataclass(frozen=True)
class Spread:
    """How far measurements of one thing lie apart."""

    variance: float
    """Of a single measurement; of its logarithm where errors are relative."""
    freedom: int
    """Degrees of freedom, at least 1."""


def estimated_names(objectives: Iterable[Objective]) -> list[str]:
    """Names of all numbers that have an estimate in a study with these objectives."""
    return list(dict.fromkeys([*ALWAYS_ESTIMATED, *(objective.name for objective in objectives)]))


def estimate(
    results: Sequence[TrialResult], objectives: Iterable[Objective], other_seeds: OtherSeeds | None = None
) -> list[dict[str, Estimate]]:
    """What is known of each trial's numbers.

    Args:
        results: A study's trials; only complete ones count.
        objectives: The study's objectives.
        other_seeds: What trainings with other seeds came to.

    Returns:
        Per trial, in the order given, the estimates by name; empty for a trial that isn't complete, without those
        that it has no finite value of.
    """
    estimates: list[dict[str, Estimate]] = [{} for _ in results]
    complete = [place for place, result in enumerate(results) if result.state is State.COMPLETE]
    for name in estimated_names(objectives):
        known = [place for place in complete if finite(results[place].value(name)) is not None]
        found_of_all = _estimates_of([results[place] for place in known], name, other_seeds or {})
        for place, found in zip(known, found_of_all, strict=True):
            estimates[place][name] = found
    return estimates


def with_pooled_values(
    results: Sequence[TrialResult], estimates: Sequence[Mapping[str, Estimate]]
) -> list[TrialResult]:
    """The trials with what is known in the place of what each of them measured; unchanged where that is the same."""
    return [_with_values(result, found) for result, found in zip(results, estimates, strict=True)]


def pooled_spread(groups: Iterable[Sequence[float]]) -> Spread | None:
    """The common spread of groups that measured one thing each; None where nothing was measured twice."""
    several = [values for values in groups if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if not freedom:
        return None
    means = [math.fsum(values) / len(values) for values in several]
    squares = math.fsum((v - mean) ** 2 for values, mean in zip(several, means, strict=True) for v in values)
    return Spread(squares / freedom, freedom)


def resolution(estimates: Iterable[Estimate], *, relative: bool) -> float:
    """The difference beyond which two trials are told apart: half the 95 % interval of a difference of two estimates.

    One number for all trials of a study: ``t * sqrt(2 * mean squared standard error)``, Student's t at 95 % with the
    degrees of freedom of the pooled spread (the least significant difference, Fisher 1935).

    Args:
        estimates: Of one objective, of the trials that are compared.
        relative: Whether the errors are relative; the resolution is then one of logarithms.

    Returns:
        The resolution, in the objective's unit or of its logarithm; 0 where no error is known.
    """
    known = [e for e in estimates if e.standard_error is not None]
    if not known:
        return 0.0
    errors = [(e.standard_error or 0.0) / (e.value if relative else 1.0) for e in known]
    mean_square = math.fsum(error**2 for error in errors) / len(errors)
    return student_t(min(e.freedom for e in known)) * math.sqrt(2.0 * mean_square)


def is_relative(name: str, values: Iterable[float]) -> bool:
    """Whether differences of a number are looked at relative to its size, which has to be positive for that."""
    return name in MEMORY_AND_SPEED and all(value > 0 for value in values)


@functools.lru_cache
def student_t(freedom: float) -> float:
    """The factor of a standard error in a two-sided 95 % interval: 12.7 for one degree of freedom, 1.96 for endless."""
    from scipy.special import ndtri, stdtrit  # A fifth of a second, and only what was repeated needs it.

    tail = (1.0 + CONFIDENCE) / 2.0
    return float(ndtri(tail) if math.isinf(freedom) else stdtrit(freedom, tail))


def _estimates_of(results: list[TrialResult], name: str, other_seeds: OtherSeeds) -> list[Estimate]:
    """One number of complete trials that have it, in their order."""
    values = [result.value(name) or 0.0 for result in results]
    if name in COUNTED:
        return [Estimate(value=v, low=v, high=v, standard_error=0.0) for v in values]
    if is_relative(name, values):
        return _pooled(results, values, cost_observations(results, name), lambda r: r.cost_key, relative=True)
    if name in LEARNED or any(name in result.metrics for result in results):
        found = _pooled(
            results, values, quality_observations(results, name, other_seeds), lambda r: r.quality_key, relative=False
        )
        # No accuracy is above 1.
        return [_below(1.0, e) for e in found] if name == "accuracy" else found
    return [Estimate(value=value) for value in values]


def _pooled(
    results: list[TrialResult],
    values: list[float],
    groups: dict[str, list[Observation]],
    key: Callable[[TrialResult], str],
    *,
    relative: bool,
) -> list[Estimate]:
    """Estimates from each trial's group; a trial without a key has its own value, whose error is unknown."""
    groups = {name: _undisturbed(observations) for name, observations in groups.items()}
    quiet = (group for group in groups.values() if not any(o.disturbed for o in group))
    spread = pooled_spread(_scaled(group, relative=relative) for group in quiet)
    known = {name: _estimate(group, spread, relative=relative) for name, group in groups.items()}
    return [known.get(key(result)) or Estimate(value=own) for result, own in zip(results, values, strict=True)]


def _undisturbed(observations: list[Observation]) -> list[Observation]:
    """Those that nothing else disturbed; all where there is no such one."""
    return [o for o in observations if not o.disturbed] or observations


def _estimate(observations: list[Observation], spread: Spread | None, *, relative: bool) -> Estimate:
    """The weighted mean of a group: an observation whose own steps vary more than the study's spread counts less."""
    variances = [_variance(o, spread) for o in observations]
    known = [variance for variance in variances if variance is not None]
    if len(known) < len(variances) or min(known) == 0.0:
        weights = [1.0] * len(variances)
    else:
        weights = [1.0 / variance for variance in known]
    total = math.fsum(weights)
    scaled = _scaled(observations, relative=relative)
    centre = math.fsum(w * v for w, v in zip(weights, scaled, strict=True)) / total
    value = _value(centre, observations, relative=relative)
    # What was disturbed is off by nobody knows how much.
    if len(known) < len(variances) or any(o.disturbed for o in observations):
        held_back = max(o.held_back for o in observations)
        return Estimate(value=value, observations=len(observations), held_back=held_back)
    error = math.sqrt(math.fsum(w**2 * v for w, v in zip(weights, known, strict=True))) / total
    freedom = math.inf if spread is None else float(spread.freedom)
    reach = student_t(freedom) * error if error else 0.0
    ends = (value * math.exp(-reach), value * math.exp(reach)) if relative else (value - reach, value + reach)
    return Estimate(
        value=value,
        low=ends[0],
        high=ends[1],
        standard_error=value * error if relative else error,
        freedom=freedom,
        observations=len(observations),
    )


def _variance(observation: Observation, spread: Spread | None) -> float | None:
    """Of one observation. The study's spread holds what its own steps show, unless these vary more."""
    own = observation.own_error
    known = [*([] if spread is None else [spread.variance]), *([] if own is None else [own**2])]
    return max(known, default=None)


def _scaled(observations: Iterable[Observation], *, relative: bool) -> list[float]:
    """Values on the scale on which their error is the same everywhere."""
    return [math.log(o.value) if relative else o.value for o in observations]


def _value(centre: float, observations: list[Observation], *, relative: bool) -> float:
    """A mean on the number's own scale; what was measured once, or always the same, keeps every digit."""
    first = observations[0].value
    if all(o.value == first for o in observations):
        return first
    return math.exp(centre) if relative else centre


def _below(most: float, found: Estimate) -> Estimate:
    return found if found.high is None else dataclasses.replace(found, high=max(found.value, min(found.high, most)))


def _with_values(result: TrialResult, estimates: Mapping[str, Estimate]) -> TrialResult:
    changed = {name: e.value for name, e in estimates.items() if e.value != result.value(name)}
    if not changed:
        return result
    measured = {name: value for name, value in changed.items() if result.measurements.get(name) is not None}
    learned = {name: value for name, value in changed.items() if name not in measured}
    return dataclasses.replace(
        result, measurements={**result.measurements, **measured}, metrics={**result.metrics, **learned}
    )
