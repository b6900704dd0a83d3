"""Tables that ``search.py`` replays: recorded configurations with their numbers and what each really cost.

docs/benchmarks.md documents the two files; :func:`model_table` makes a table from a model instead.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from terrasweep.results.pareto import hypervolume

TRAIN_SECONDS, PROBE_SECONDS = "train_seconds", "probe_seconds"
TRAINED_STEPS, PROBED_STEPS = 200, 10
"""Of the model."""
ACCURACY_NOISE = 0.005
MEMORY_LIMIT_MIB = 14_000.0

Settings = dict[str, Any]


class BadTable(Exception):
    """A table can't be read; says which file, why, and the way out."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration."""

    settings: Settings
    """Its active keys."""
    measured: Mapping[str, float]
    """What is known of it; objectives are missing where it didn't complete."""
    train_seconds: float
    probe_seconds: float


@dataclass(frozen=True, kw_only=True)
class Table:
    """Configurations, and what bears on what."""

    name: str
    rows: Sequence[Row]
    quality: frozenset[str]
    """Keys that bear on the accuracy."""
    cost: frozenset[str]
    """Keys that bear on memory and speed."""
    objectives: Mapping[str, bool]
    """Name to whether more is better."""
    of_quality: frozenset[str]
    """Objectives that only the quality keys bear on."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Measurements that a configuration must not exceed."""
    conditions: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    """Key to the values that other keys have where it is active."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {identity(row.settings): row for row in self.rows})
        object.__setattr__(self, "_reference", self._fixed_reference())

    def choices(self) -> dict[str, list[Any]]:
        """Each key's values, in order; what a key's conditions ask for comes before it."""
        found: dict[str, list[Any]] = {}
        for row in self.rows:
            for key, value in row.settings.items():
                if value not in (values := found.setdefault(key, [])):
                    values.append(value)
        order = TopologicalSorter({key: self.conditions.get(key, {}) for key in found}).static_order()
        return {key: sorted(found[key], key=lambda v: (isinstance(v, str), v)) for key in order if key in found}

    def is_active(self, key: str, settings: Settings) -> bool:
        """Whether a key's conditions hold."""
        return all(settings.get(other) in values for other, values in self.conditions.get(key, {}).items())

    def row(self, settings: Settings) -> Row | None:
        """The row of a configuration; None where there is none."""
        found: Row | None = self._rows.get(identity(settings))  # type: ignore[attr-defined]
        return found

    def values(self, row: Row) -> list[float] | None:
        """The objectives of a row that completed within the limits; None for any other."""
        complete = all(name in row.measured for name in self.objectives)
        fits = all(row.measured.get(name, 0.0) <= most for name, most in self.limits.items())
        return [row.measured[name] for name in self.objectives] if complete and fits else None

    @property
    def reference(self) -> list[tuple[float, float]]:
        """Of each objective, its worst value over the table and its range."""
        found: list[tuple[float, float]] = self._reference  # type: ignore[attr-defined]
        return found

    def hypervolume(self, values: Sequence[Sequence[float]]) -> float:
        """Hypervolume in units of each objective's range over the table, from its worst value."""
        return hypervolume(values, list(self.objectives.values()), self.reference) if len(values) else 0.0

    def best_hypervolume(self) -> float:
        """The hypervolume of all rows together: what a search can reach."""
        return self.hypervolume(self._complete())

    def mean_train_seconds(self) -> float:
        """Over the rows that complete."""
        return float(np.mean([row.train_seconds for row in self.rows if self.values(row) is not None]))

    def _complete(self) -> list[list[float]]:
        return [values for values in map(self.values, self.rows) if values is not None]

    def _fixed_reference(self) -> list[tuple[float, float]]:
        columns = np.array(self._complete()).T
        if not len(columns):
            raise BadTable(f"{self.name}: no row has all of {', '.join(self.objectives)}; record some that completed")
        ends = zip(columns.min(axis=1), columns.max(axis=1), self.objectives.values(), strict=True)
        return [(float(low if up else high), float(high - low) or 1.0) for low, high, up in ends]


def identity(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What tells configurations apart."""
    return tuple(sorted((key, repr(value)) for key, value in settings.items()))


def read_table(file: Path) -> Table:
    """Read ``FILE.csv`` and ``FILE.json`` (docs/benchmarks.md).

    Args:
        file: Either of the two, or their common name.

    Raises:
        BadTable: One is missing, or says something else than the other.
    """
    rows_file, about_file = file.with_suffix(".csv"), file.with_suffix(".json")
    try:
        about = json.loads(about_file.read_text())
        with rows_file.open(newline="") as lines:
            records = list(csv.DictReader(lines))
    except (OSError, ValueError) as error:
        raise BadTable(f"--table {file}: {error}; see docs/benchmarks.md for the two files of a table") from error
    if lacking := {"quality", "cost", "objectives"} - about.keys():
        raise BadTable(f"{about_file}: {', '.join(sorted(lacking))} is missing; see docs/benchmarks.md")
    keys = dict.fromkeys([*about["quality"], *about["cost"]])
    objectives = {objective["name"]: objective["direction"] == "maximize" for objective in about["objectives"]}
    wanted = [*keys, *objectives, TRAIN_SECONDS, PROBE_SECONDS]
    if lacking := set(wanted) - set(records[0] if records else ()):
        raise BadTable(f"{rows_file}: there is no column {', '.join(sorted(lacking))}; see docs/benchmarks.md")
    return Table(
        name=file.stem,
        rows=[_row(record, list(keys)) for record in records],
        quality=frozenset(about["quality"]),
        cost=frozenset(about["cost"]),
        objectives=objectives,
        of_quality=frozenset(about.get("of_quality", ["accuracy"])) & objectives.keys(),
        limits=about.get("limits", {}),
        conditions=about.get("conditions", {}),
    )


def write_table(table: Table, file: Path) -> None:
    """Write a table as :func:`read_table` reads it."""
    keys = list(table.choices())
    about = {
        "quality": [key for key in keys if key in table.quality],
        "cost": [key for key in keys if key in table.cost],
        "objectives": [
            {"name": n, "direction": "maximize" if up else "minimize"} for n, up in table.objectives.items()
        ],
        "of_quality": sorted(table.of_quality),
        "limits": dict(table.limits),
        "conditions": {key: dict(on) for key, on in table.conditions.items()},
    }
    file.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    measurements = list(dict.fromkeys(name for row in table.rows for name in row.measured))
    with file.with_suffix(".csv").open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow([*keys, *measurements, TRAIN_SECONDS, PROBE_SECONDS])
        for row in table.rows:
            settings = [row.settings.get(key, "") for key in keys]
            measured = [row.measured.get(name, "") for name in measurements]
            writer.writerow([*settings, *measured, row.train_seconds, row.probe_seconds])


def _row(record: Mapping[str, str], keys: Sequence[str]) -> Row:
    seconds = (TRAIN_SECONDS, PROBE_SECONDS)
    measured = {n: float(text) for n, text in record.items() if n not in (*keys, *seconds) and _is_number(text)}
    return Row(
        settings={key: _value(record[key]) for key in keys if record[key] != ""},
        measured=measured,
        train_seconds=float(record[TRAIN_SECONDS]),
        probe_seconds=float(record[PROBE_SECONDS]),
    )


def _value(text: str) -> Any:
    for kind in (int, float):
        if _is_number(text):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


MODEL_KEYS: dict[str, list[Any]] = {
    "quantization": ["none", "int8", "nf4", "nf4_double"],
    "rank": [1, 2, 4, 8, 16, 32, 64],
    "targets": ["qv", "attention", "mlp", "attention_mlp"],
    "checkpointing": ["none", "every_n", "blocks"],
    "offload": ["none", "activations", "optimizer", "parameters"],
    "lr": [1e-4, 3e-4, 1e-3, 3e-3],
    "batch_size": [8, 16, 32],
}
"""16,128 configurations, of which 1,344 differ in what bears on the accuracy."""


def model_table(seed: int = 0) -> Table:
    """A model of a search: saturating accuracy, additive memory, multiplicative speed.

    Args:
        seed: Of the accuracies' noise, which is one number for all configurations of the same mathematics.
    """
    rng = np.random.default_rng(seed)
    quality, cost = frozenset(MODEL_KEYS) - {"checkpointing", "offload"}, frozenset(MODEL_KEYS) - {"lr"}
    noise: dict[Any, float] = {}
    rows = []
    for settings in _combinations():
        key = identity({name: settings[name] for name in quality})
        accuracy = _accuracy(settings) + noise.setdefault(key, ACCURACY_NOISE * rng.standard_normal())
        rows.append(_model_row(settings, accuracy))
    return Table(
        name="model",
        rows=rows,
        quality=quality,
        cost=cost,
        objectives={"accuracy": True, "throughput_samples_per_s": True, "peak_memory_mib": False},
        of_quality=frozenset({"accuracy"}),
        limits={"peak_memory_mib": MEMORY_LIMIT_MIB},
    )


def _combinations() -> Iterator[Settings]:
    for values in itertools.product(*MODEL_KEYS.values()):
        yield dict(zip(MODEL_KEYS, values, strict=True))


def _model_row(settings: Settings, accuracy: float) -> Row:
    memory, speed = _memory(settings), _speed(settings)
    step = settings["batch_size"] / speed
    probe = PROBED_STEPS * step
    if memory > MEMORY_LIMIT_MIB:  # It ends where a probe would.
        return Row(settings=settings, measured={"peak_memory_mib": memory}, train_seconds=probe, probe_seconds=probe)
    measured = {"accuracy": accuracy, "throughput_samples_per_s": speed, "peak_memory_mib": memory}
    return Row(settings=settings, measured=measured, train_seconds=TRAINED_STEPS * step, probe_seconds=probe)


_ADAPTED = {"qv": 0.17, "attention": 0.33, "mlp": 0.67, "attention_mlp": 1.0}
"""Share of the linear layers' width that has adapters."""


def _accuracy(settings: Settings) -> float:
    """Saturating in rank x targets, with an optimum of the learning rate that falls with the rank."""
    rank, adapted = settings["rank"], _ADAPTED[settings["targets"]]
    gained = 0.22 * (1 - math.exp(-math.sqrt(rank * adapted) / 1.6))
    best = -2.7 - 0.25 * math.log10(rank)
    off = math.log10(settings["lr"]) - best
    lost = {"none": 0.0, "int8": 0.002, "nf4": 0.012, "nf4_double": 0.013}[settings["quantization"]]
    return 0.55 + gained - 0.05 * off**2 - lost - 0.006 * abs(math.log2(settings["batch_size"] / 16))


def _memory(settings: Settings) -> float:
    """MiB: weights, states of what learns, activations."""
    weights = 3_600 * {"none": 1.0, "int8": 0.27, "nf4": 0.16, "nf4_double": 0.14}[settings["quantization"]]
    states = 42.0 * settings["rank"] * _ADAPTED[settings["targets"]]
    kept = {"none": 1.0, "every_n": 0.6, "blocks": 0.22}[settings["checkpointing"]]
    activations = 520.0 * settings["batch_size"] * kept * (1 + 0.15 * _ADAPTED[settings["targets"]])
    offload = settings["offload"]
    activations *= 0.45 if offload == "activations" else 1.0
    states *= 0.35 if offload in ("optimizer", "parameters") else 1.0
    weights *= 0.3 if offload == "parameters" else 1.0
    return 450.0 + weights + states + activations


def _speed(settings: Settings) -> float:
    """Samples per second."""
    speed = 26.0 * (settings["batch_size"] / 16) ** 0.25
    speed *= {"none": 1.0, "int8": 0.62, "nf4": 0.78, "nf4_double": 0.74}[settings["quantization"]]
    speed *= {"none": 1.0, "every_n": 0.85, "blocks": 0.73}[settings["checkpointing"]]
    speed *= {"none": 1.0, "activations": 0.68, "optimizer": 0.8, "parameters": 0.42}[settings["offload"]]
    return speed / (1 + 0.12 * _ADAPTED[settings["targets"]] * (1 + settings["rank"] / 64))
