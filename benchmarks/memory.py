"""Predicted against measured peak memory, each configuration measured in a process of its own.

    python benchmarks/memory.py
    python benchmarks/memory.py tuning=full backbone=prithvi_eo_v2_300
    python benchmarks/memory.py --file configurations.txt --calibrate 10

A file has one configuration a line, as ``key=value key=value``; what stands on the command line holds for all of them.
Beside the prediction stand what DeepSpeed's estimator (ZeRO-2 without offload) and "weights x 4" say. On a CPU the
measured peak is the resident set's growth, on CUDA what torch's allocator reserved. With ``--calibrate N``, a line
reserved = a + b x predicted is fitted to the first N configurations, which are not scored.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from terrasweep import process
from terrasweep.config.compose import compose
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device, gpu_names
from terrasweep.predict.prediction import Prediction
from terrasweep.process.parent import Limits
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.run import run_trial

COMMON = (
    "backbone.checkpoint=null",
    "data.tile_px=224",
    "data.synthetic.train=32",
    "data.synthetic.val=6",
    "data.synthetic.test=0",
    "train.batch_size=2",
    "train.untimed_steps=3",
    "train.count_flops=false",
    "train.save_weights=false",
    "probe.alone=true",
    "probe.steps=1",
    "probe.evaluation_batches=1",
    "reuse=off",
)
BASE = "backbone=timm_vit_base_patch16_224"
CONFIGURATIONS = (
    f"{BASE} tuning=full",
    f"{BASE} tuning=lora",
    f"{BASE} tuning=lora train.batch_size=8",
    f"{BASE} tuning=frozen",
    f"{BASE} tuning=lora quantization=nf4",
    f"{BASE} tuning=lora quantization=int8",
    f"{BASE} tuning=lora checkpointing=blocks",
    f"{BASE} tuning=full checkpointing=blocks train.batch_size=4",
    f"{BASE} tuning=full precision=bf16",
    f"{BASE} tuning=lora precision=bf16 train.batch_size=4",
    f"{BASE} tuning=full optimizer=adamw8bit",
    f"{BASE} tuning=lora decoder=upernet",
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is said of one configuration, in MiB."""

    knobs: str
    measured: float
    predicted: float
    by_line: float | None
    """The prediction after calibration; None for a row that it was fitted to."""
    deepspeed: float
    """DeepSpeed's ZeRO-2 estimate for one GPU without offload, which knows no activations."""
    weights_x4: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="configurations, one a line")
    parser.add_argument("--calibrate", type=int, default=0, help="to how many of the first rows a line is fitted")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for every configuration")
    arguments = parser.parse_intermixed_args()
    lines = arguments.file.read_text().splitlines() if arguments.file else CONFIGURATIONS
    knobs = [line for line in lines if line.strip() and not line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TERRASWEEP_HOME"] = folder
        configs = [compose([*COMMON, *line.split(), *arguments.overrides]) for line in knobs]
        predictions = predict(configs, Path(folder))
        rows = [
            row
            for place, (line, config) in enumerate(zip(knobs, configs, strict=True))
            if (row := score(line, config, predictions.get(place), Path(folder) / str(place))) is not None
        ]
    rows = calibrated(rows, arguments.calibrate)
    print(json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else table(rows))


def predict(configs: list[TrialConfig], folder: Path) -> dict[int, Prediction]:
    """Predictions by place, made in one child."""
    arguments = {"configs": configs, "device": effective_device("auto")}
    outcome = process.run("terrasweep.predict.in_child:predict", arguments, folder / "predict.log", Limits())
    if outcome.error is not None:
        raise SystemExit(f"{outcome.error}\n{(folder / 'predict.log').read_text()}")
    for place, line in outcome.reported.get("refused", {}).items():
        print(f"{place}: refused: {line}", file=sys.stderr)
    predictions: dict[int, Prediction] = outcome.reported.get("predictions", {})
    return predictions


def score(knobs: str, config: TrialConfig, prediction: Prediction | None, folder: Path) -> Row | None:
    """Measure one configuration; None where nothing can be compared, which is told."""
    if prediction is None:
        return None
    result = run_trial(config, folder)
    measured = result.value("peak_memory_mib")
    if measured is None:
        print(f"{knobs}: {result.state}: {result.message}", file=sys.stderr)
        return None
    print(f"{knobs}: measured {measured:.0f}, predicted {prediction.peak_memory_mib:.0f} MiB", file=sys.stderr)
    return Row(
        knobs=knobs,
        measured=measured,
        predicted=prediction.peak_memory_mib,
        by_line=prediction.peak_memory_mib,
        deepspeed=estimated(result),
        weights_x4=4 * (result.value("total_parameters") or 0.0) * 4 / 2**20,
    )


def estimated(result: TrialResult) -> float:
    """What DeepSpeed's own estimator says of the trial's model on one GPU, all of it learning."""
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    parameters = int(result.value("total_parameters") or 0)
    _, gpu = estimate_zero2_model_states_mem_needs(parameters, 1, 1, cpu_offload=False)
    return float(gpu) / 2**20


def calibrated(rows: list[Row], count: int) -> list[Row]:
    """The rows with what a line through the first of them says."""
    if count < 2:
        return rows
    known = rows[:count]
    slope, intercept = statistics.linear_regression([row.predicted for row in known], [row.measured for row in known])
    return [
        replace(row, by_line=None if place < count else intercept + slope * row.predicted)
        for place, row in enumerate(rows)
    ]


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, with the errors of each way to tell."""
    lines = [
        "| knobs | measured (MiB) | predicted | error | DeepSpeed's estimator | weights x 4 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        said = row.predicted if row.by_line is None else row.by_line
        error = "(fitted to)" if row.by_line is None else f"{100 * (said / row.measured - 1):+.1f} %"
        lines.append(
            f"| `{row.knobs}` | {row.measured:.0f} | {said:.0f} | {error} | {row.deepspeed:.0f} "
            f"| {row.weights_x4:.0f} |"
        )
    scored = [row for row in rows if row.by_line is not None]
    for name in ("predicted", "by_line", "deepspeed", "weights_x4"):
        errors = sorted(abs(getattr(row, name) / row.measured - 1) for row in scored)
        if errors:
            high = errors[min(len(errors) - 1, round(0.95 * (len(errors) - 1)))]
            lines.append(
                f"\n{name}: median {100 * statistics.median(errors):.1f} %, 95th percentile {100 * high:.1f} %"
            )
    return "\n".join(lines) + f"\n\non {', '.join(gpu_names()) or 'a CPU'}, {len(scored)} scored"


if __name__ == "__main__":
    main()
