"""A study as a sweep leaves it: 24 trials, of which 19 completed, three did not fit, one diverged and one crashed."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

from terrasweep.measure.catalog import MEASUREMENTS
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results import pareto
from terrasweep.results.comparison import compare
from terrasweep.results.measurements import Measurements
from terrasweep.results.observations import OtherSeeds
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult

OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
]
SPACE = {
    "quantization": "choice(none, int8, nf4)",
    "tuning": "choice(lora, frozen)",
    "tuning.rank": "choice(1, 2, 4, 8, 16) if tuning=lora",
    "tuning.targets": "choice(attention, mlp, attention_mlp) if tuning=lora",
    "checkpointing": "choice(none, blocks)",
}
DEVICE = "NVIDIA A10G (24 GiB)"
ODD = "val/IoU <i>é|`_x`"
SCRIPT = "<script>alert('not run')</script>"
UNFINISHED = {
    3: (Reason.PREDICTED_OOM, 0.23, "needs 29.5 GiB, budget.memory_gib=24; try checkpointing=blocks"),
    6: (Reason.OVER_BUDGET, 0.081, "peak_memory_mib was 26,567 of 24,576; try quantization=nf4"),
    11: (Reason.OOM_DEVICE, None, "tried to allocate 1.5 GiB in blocks.7.mlp.fc1 | 24.0 GiB in use"),
    14: (Reason.DIVERGED, None, "the loss was nan at step 12; try a lower train.lr"),
    17: (Reason.CRASHED, None, f"RuntimeError: shapes (4, 8) and (8, 3) {SCRIPT} & more"),
}


def record(**changes: Any) -> StudyRecord:
    """The study's record."""
    fixed = StudyRecord(
        name="prithvi-floods",
        n_trials=24,
        objectives=OBJECTIVES,
        space=SPACE,
        overrides=["backbone=prithvi_eo_300m", "budget.memory_gib=24"],
        sampler="TPESampler",
        seed=0,
        storage="postgresql://ada:secret@db.example/optuna",
        tracking_uri="sqlite:///mlflow.db",
        environment={"processor": "AMD EPYC 7R32, 8 cores", "accelerators": DEVICE, "torch": "2.8.0", "peft": "0.17.1"},
        started="2026-05-04T09:12:31+00:00",
    )
    return dataclasses.replace(fixed, **changes)


def results() -> list[TrialResult]:
    """Its trials; the same ones at every call."""
    chance = random.Random(7)
    return [_trial(number, chance) for number in range(24)]


def study() -> tuple[StudyRecord, list[TrialResult]]:
    """Both, with the hypervolume's reference fixed as the sweeper does it."""
    trials = results()
    first = next(result for result in trials if result.state is State.COMPLETE)
    return record(reference=pareto.fix_reference(first, OBJECTIVES)), trials


def with_seeds(record: StudyRecord, results: Sequence[TrialResult], other_seeds: OtherSeeds) -> StudyOutcome:
    """The outcome of a study whose trials were trained again with other seeds."""
    comparison = compare(results, record.objectives, other_seeds)
    return StudyOutcome(record, comparison.results, comparison)


def complete(number: int, values: dict[str, Any], **searched: Any) -> TrialResult:
    """A complete trial with the given measurements or metrics."""
    measured: Measurements = {name: value for name, value in values.items() if name in MEASUREMENTS}
    metrics = {name: value for name, value in values.items() if name not in MEASUREMENTS}
    return TrialResult(
        number=number,
        state=State.COMPLETE,
        measurements=measured,
        metrics=metrics,
        searched=searched,
        config={"train": {}},
    )


def objectives(count: int) -> list[Objective]:
    """One to four objectives, of which one has an odd name."""
    names = [
        ("peak_memory_mib", "minimize"),
        (ODD, "maximize"),
        ("wall_seconds", "minimize"),
        ("flops_per_step", "minimize"),
    ]
    return [Objective(name=name, direction=direction) for name, direction in names[:count]]


def random_study(n_objectives: int, n_trials: int) -> tuple[StudyRecord, list[TrialResult]]:
    """Complete trials with values by chance; the same ones at every call."""
    chance = random.Random(n_trials)
    fixed = record(objectives=objectives(n_objectives), space={"train.lr": "interval(1e-6, 1e-2)", "q": "choice(a, b)"})
    trials = [
        complete(
            i,
            {objective.name: chance.uniform(1, 100) for objective in fixed.objectives},
            **{"train.lr": 10 ** chance.uniform(-6, -2), "q": chance.choice("ab")},
        )
        for i in range(n_trials)
    ]
    return fixed, trials


def _trial(number: int, chance: random.Random) -> TrialResult:
    searched = _settings(chance)
    result = TrialResult(
        number=number,
        state=State.COMPLETE,
        measurements=_measurements(searched, chance),
        metrics={"mIoU": 0.5, "IoU_water": 0.61803},
        curves={"train_loss": [(1, 0.7), (40, 0.3)]},
        touched={} if searched["quantization"] == "none" else {"quantized": [f"blocks.{i}" for i in range(16)]},
        searched=searched,
        config=_config(searched, number),
        device=DEVICE,
        versions={"torch": "2.8.0"},
        commit="0123abc",
        started=f"2026-05-04T{9 + number // 6:02d}:{12 + number % 6 * 6}:31+00:00",
    )
    if number not in UNFINISHED:
        return result
    reason, violation, message = UNFINISHED[number]
    reached = Measurements(wall_seconds=41.5, peak_build_mib=result.measurements["peak_build_mib"])
    if reason is Reason.OVER_BUDGET:
        reached = {**result.measurements, "peak_memory_mib": 26567.0}
    if reason is Reason.DIVERGED:
        reached = {**result.measurements, "accuracy": None, "train_loss": None}
    changes = {"measurements": reached, "violation": violation, "message": message}
    return dataclasses.replace(result, state=reason.state, reason=reason, metrics={}, **changes)  # type: ignore[arg-type]


def _settings(chance: random.Random) -> dict[str, Any]:
    searched: dict[str, Any] = {"quantization": chance.choice(["none", "int8", "nf4"])}
    searched["tuning"] = chance.choice(["lora", "lora", "lora", "frozen"])
    if searched["tuning"] == "lora":
        searched["tuning.rank"] = chance.choice([1, 2, 4, 8, 16])
        searched["tuning.targets"] = chance.choice(["attention", "mlp", "attention_mlp"])
    return searched | {"checkpointing": chance.choice(["none", "blocks"])}


def _measurements(searched: dict[str, Any], chance: random.Random) -> Measurements:
    rank = searched.get("tuning.rank", 0)
    both = searched.get("tuning.targets") == "attention_mlp"
    checkpointed = searched["checkpointing"] == "blocks"
    weights = {"none": 1220.0, "int8": 360.0, "nf4": 205.0}[searched["quantization"]]
    speed = {"none": 61.0, "int8": 38.0, "nf4": 47.0}[searched["quantization"]] * (0.74 if checkpointed else 1.0)
    lost = {"none": 0.0, "int8": 0.004, "nf4": 0.016}[searched["quantization"]]
    activations = (5400.0 if rank else 2100.0) * (0.28 if checkpointed else 1.0) + 38 * rank * (1 + both)
    accuracy = 0.702 + 0.052 * (rank > 0) + 0.011 * rank**0.5 + 0.012 * both - lost + chance.gauss(0, 0.004)
    return Measurements(
        accuracy=accuracy,
        throughput_samples_per_s=speed * (1.25 if not rank else 1.0) - 0.3 * rank + chance.gauss(0, 0.5),
        peak_memory_mib=weights + 2.8 * activations + 410,
        accuracy_name="mIoU",
        peak_build_mib=1630.0,
        step_time_p50_s=8 / speed,
        step_time_p95_s=9 / speed,
        data_wait_share=0.031,
        trainable_parameters=1_203_457 + 24_576 * rank,
        total_parameters=304_812_033,
        weight_bytes=int(weights * 2**20),
        train_loss=0.31,
        train_seconds=60.2,
        wall_seconds=104.7,
    )


def _config(searched: dict[str, Any], number: int) -> dict[str, Any]:
    lora = {"name": "lora", "rank": searched.get("tuning.rank"), "targets": searched.get("tuning.targets")}
    return {
        "trial": {"number": number},
        "study": {"name": "prithvi-floods", "n_trials": 24, "objectives": [dataclasses.asdict(o) for o in OBJECTIVES]},
        "backbone": {"name": "prithvi_eo_v2_300", "bands": ["BLUE", "GREEN", "RED"], "checkpoint": None},
        "quantization": {"name": searched["quantization"], "skip": []},
        "tuning": lora if searched["tuning"] == "lora" else {"name": "frozen"},
        "checkpointing": {"name": searched["checkpointing"]},
        "train": {"lr": 1e-05, "batch_size": 8, "max_steps": 400},
    }
