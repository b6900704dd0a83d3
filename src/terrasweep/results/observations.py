"""What was measured of one thing, in whichever trial and process: a memory, a speed, or what was learnt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from terrasweep.results.measurements import Measured
from terrasweep.results.trial_result import TrialResult

OtherSeeds = Mapping[int, Mapping[int, Mapping[str, float]]]
"""Trial number to seed to what was learned with that seed instead of the trial's own, by the names of the accuracy and
the metrics."""
THROUGHPUTS = frozenset({"throughput_samples_per_s", "throughput_median_samples_per_s"})
"""What ``throughput_error`` is the relative standard error of, from a trial's own steps."""
SPEEDS = THROUGHPUTS | {"step_time_p50_s", "step_time_p95_s", "step_time_p99_s"}
"""What others on the processors hold back; they take no memory from a peak."""


@dataclass(frozen=True)
class Observation:
    """One measurement of something."""

    value: float
    own_error: float | None = None
    """Standard error from within the measurement, relative to the value; None where it is unknown."""
    disturbed: bool = False
    held_back: float = 1.0
    """By which factor it may be better where nothing disturbs it."""


def cost_observations(results: list[TrialResult], name: str) -> dict[str, list[Observation]]:
    """All measurements of a memory or a speed, by ``cost_key``: the trials' own, each once, and their probes."""
    groups: dict[str, dict[str, Observation]] = {}
    # A reused number is its source's; the source's own comes first.
    for result in sorted((r for r in results if r.cost_key), key=lambda r: bool(r.cost_from)):
        group = groups.setdefault(result.cost_key, {})
        for source, measured in _measured(result, {**result.metrics, **result.measurements}, result.probes):
            value = finite(measured.get(name))
            if value is not None and value > 0 and source not in group:
                own = finite(measured.get("throughput_error")) if name in THROUGHPUTS else None
                disturbed = bool(measured.get("disturbed"))
                held_back = _held_back(measured) if disturbed and name in SPEEDS else 1.0
                group[source] = Observation(value, own, disturbed, held_back)
    return {key: list(group.values()) for key, group in groups.items()}


def _held_back(measured: Mapping[str, Measured]) -> float:
    """By which factor a trial may be faster where nothing disturbs it: what its threads waited, and its steps stalled.

    Args:
        measured: The measurements of one that something disturbed.

    Returns:
        At least 1; endless where its threads did nothing but wait.
    """
    lost = sum(finite(measured.get(name)) or 0.0 for name in ("processor_wait_share", "steal_share"))
    whole, median = (finite(measured.get(f"throughput{kind}_samples_per_s")) for kind in ("", "_median"))
    stalled = median / whole if whole and median else 1.0
    return max(1.0, stalled) / (1.0 - lost) if lost < 1.0 else math.inf


def _measured(
    result: TrialResult, own: Mapping[str, Measured], probes: Sequence[Mapping[str, Measured]]
) -> Iterator[tuple[str, Mapping[str, Measured]]]:
    """Each measurement of a trial with a name that is the study's only one."""
    yield result.cost_from or _named(result), own
    yield from ((f"{_named(result)} probe {place}", probe) for place, probe in enumerate(probes))


def quality_observations(
    results: list[TrialResult], name: str, other_seeds: OtherSeeds
) -> dict[str, list[Observation]]:
    """What was learned, by ``quality_key``: the trials' own value, and one per other seed.

    Trials with the same key had the same seed: their values differ by rounding, say nothing of the spread, and count
    as one.
    """
    own: dict[str, dict[str, float]] = {}
    repeated: dict[str, dict[int, float]] = {}
    for result in sorted((r for r in results if r.quality_key), key=lambda r: bool(r.accuracy_from)):
        source, value = result.accuracy_from or _named(result), result.value(name) or 0.0
        own.setdefault(result.quality_key, {}).setdefault(source, value)
        by_seed = repeated.setdefault(result.quality_key, {})
        for seed, learned in other_seeds.get(-1 if result.number is None else result.number, {}).items():
            if (again := finite(learned.get(name))) is not None:
                by_seed[seed] = again
    return {
        key: [Observation(value) for value in (_mean(list(values.values())), *repeated[key].values())]
        for key, values in own.items()
    }


def _mean(values: list[float]) -> float:
    return values[0] if all(v == values[0] for v in values) else math.fsum(values) / len(values)


def _named(result: TrialResult) -> str:
    return str(id(result)) if result.number is None else str(result.number)


def finite(value: Measured) -> float | None:
    """A measurement as a number; None where it is absent, a text, endless or no number."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
