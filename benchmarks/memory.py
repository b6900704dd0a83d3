"""Predicted against measured peak memory, each configuration measured in a process of its own.

    python benchmarks/memory.py
    python benchmarks/memory.py tuning=full backbone=prithvi_eo_v2_300
    python benchmarks/memory.py --file benchmarks/memory_configurations.txt --calibrate 10 --folder /tmp/memory

A file has one configuration a line, as ``key=value key=value``; what stands on the command line holds for all of them.
Beside the prediction stand what DeepSpeed's estimator (ZeRO-2 without offload) and "weights x 4" say. On a CPU the
measured peak is the resident set's growth, on CUDA what torch's allocator reserved, beside what tensors occupied of it.
With ``--calibrate N``, terrasweep's calibration learns from the first N configurations, which are not scored.
``--folder`` keeps what was measured, so that a run that was ended goes on where it was; what ``--measure-only``
measured there can be predicted later, and on another machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

os.environ.setdefault("OMP_NUM_THREADS", "2")

from terrasweep import process
from terrasweep.config.compose import compose
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import gpu_names
from terrasweep.predict.prediction import Prediction
from terrasweep.process.parent import Limits
from terrasweep.results.peak_calibration import Pair, calibrate
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
ESTIMATES = ("predicted", "by_line", "deepspeed", "weights_x4")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is said of one configuration, in MiB."""

    knobs: str
    measured: float
    predicted: float
    by_line: float | None
    """The prediction after calibration; None for a row that it was fitted to."""
    allocated: float | None
    """On CUDA, what tensors occupied at their peak."""
    predicted_allocated: float
    on: str
    """The device's name."""
    deepspeed: float
    """DeepSpeed's ZeRO-2 estimate for one GPU without offload, which knows no activations."""
    weights_x4: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="configurations, one a line")
    parser.add_argument("--calibrate", type=int, default=0, help="from how many of the first rows it learns")
    parser.add_argument("--folder", type=Path, help="where measured rows and predictions are kept, and taken from")
    parser.add_argument("--measure-only", action="store_true", help="predict nothing; needs --folder")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for every configuration")
    arguments = parser.parse_intermixed_args()
    lines = arguments.file.read_text().splitlines() if arguments.file else CONFIGURATIONS
    knobs = [" ".join([line, *arguments.overrides]) for line in lines if line.strip() and not line.startswith("#")]
    with tempfile.TemporaryDirectory() if arguments.folder is None else nullcontext(arguments.folder) as folder:
        rows = compare(knobs, Path(folder).absolute(), measure_only=arguments.measure_only)
    if arguments.measure_only:
        return
    rows = calibrated(rows, set(knobs[: arguments.calibrate]))
    print(json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else table(rows))


def compare(knobs: list[str], folder: Path, *, measure_only: bool) -> list[Row]:
    """Measure and predict each configuration; what can't be is told, and left out."""
    os.environ["TERRASWEEP_HOME"] = str(folder)
    write_modalities(folder / "modalities")
    configs = [compose([*COMMON, *line.split()]) for line in knobs]
    kept = folder / "measured.jsonl"
    known = {found["knobs"]: found for found in map(json.loads, kept.read_text().splitlines())} if kept.exists() else {}
    for line, config in zip(knobs, configs, strict=True):
        if line not in known and (found := measure(line, config, folder / "trial")) is not None:
            known[line] = found
            with kept.open("a") as file:
                file.write(json.dumps(found) + "\n")
    if measure_only:
        return []
    there = [(known[line], config) for line, config in zip(knobs, configs, strict=True) if line in known]
    predictions = predict(there, folder)
    return [row_of(found, predictions[place]) for place, (found, _) in enumerate(there) if place in predictions]


def row_of(found: dict[str, Any], prediction: Prediction) -> Row:
    """A kept measurement beside its prediction."""
    said = prediction.peak_memory_mib
    allocated = found["measurements"].get("peak_allocated_mib")
    of_file = {name: found[name] for name in ("knobs", "measured", "deepspeed", "weights_x4", "on")}
    return Row(
        **of_file, predicted=said, by_line=said, allocated=allocated, predicted_allocated=prediction.peak_allocated_mib
    )


def predict(measured: list[tuple[dict[str, Any], TrialConfig]], folder: Path) -> dict[int, Prediction]:
    """Predictions by place, made in one child, for the kind of device that they were measured on."""
    on_cuda = any("peak_allocated_mib" in found["measurements"] for found, _ in measured)
    arguments = {"configs": [config for _, config in measured], "device": "cuda" if on_cuda else "cpu"}
    outcome = process.run("terrasweep.predict.in_child:predict", arguments, folder / "predict.log", Limits())
    if outcome.error is not None:
        raise SystemExit(f"{outcome.error}\n{(folder / 'predict.log').read_text()}")
    for place, line in outcome.reported.get("refused", {}).items():
        print(f"{place}: refused: {line}", file=sys.stderr)
    predictions: dict[int, Prediction] = outcome.reported.get("predictions", {})
    return predictions


def measure(knobs: str, config: TrialConfig, folder: Path) -> dict[str, Any] | None:
    """A row without its predictions, from a trial in a process of its own; None where it has no peak."""
    shutil.rmtree(folder, ignore_errors=True)
    result = run_trial(config, folder)
    peak = result.value("peak_memory_mib")
    print(f"{knobs}: {result.state}: {result.message or peak}", file=sys.stderr, flush=True)
    if peak is None:
        return None
    weights = (result.value("total_parameters") or 0.0) * 4 / 2**20
    row = {"knobs": knobs, "measured": peak, "deepspeed": estimated(result), "weights_x4": 4 * weights}
    return {**row, "measurements": result.measurements, "on": ", ".join(gpu_names()) or "a CPU"}


def write_modalities(folder: Path, px: int = 224, samples: int = 16) -> None:
    """Samples of two sensors and a mask of two classes, for ``data=multimodal_folder``."""
    if folder.exists():
        return
    rng = np.random.default_rng(0)
    for number in range(samples):
        split = folder / ("train" if number % 4 else "val")
        mask = rng.random((1, px, px)) < 0.5
        for name, bands in (("S2", 6), ("S1", 2)):
            write_tile(split / name / f"{number}.tif", rng.normal(0, 1, (bands, px, px)).astype(np.float32) + mask)
        write_tile(split / "masks" / f"{number}.tif", mask.astype(np.uint8))


def write_tile(file: Path, values: NDArray[Any]) -> None:
    """A GeoTIFF of an array (bands, height, width), each at a place of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    place = from_origin(10_000 * int(file.stem), 0, 10, 10)
    size = {"count": bands, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(file, "w", driver="GTiff", crs="EPSG:32632", transform=place, **size) as raster:
        raster.write(values)


def estimated(result: TrialResult) -> float:
    """What DeepSpeed's own estimator says of the trial's model on one GPU, all of it learning."""
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    parameters = int(result.value("total_parameters") or 0)
    _, gpu = estimate_zero2_model_states_mem_needs(parameters, 1, 1, cpu_offload=False)
    return float(gpu) / 2**20


def calibrated(rows: list[Row], fitted: set[str]) -> list[Row]:
    """The rows with what terrasweep's own calibration makes of their predictions, by some of them."""
    known = [row for row in rows if row.knobs in fitted]
    if not known:
        return rows
    pairs = [Pair(row.predicted, row.measured) for row in known]
    line = calibrate(pairs, "cuda" if known[0].allocated is not None else "cpu")
    print(f"measured = {line.intercept_mib:.1f} MiB + {line.slope:.4f} x predicted", file=sys.stderr)
    return [replace(row, by_line=None if row.knobs in fitted else line.expected(row.predicted)) for row in rows]


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
    on_cuda = [row for row in scored if row.allocated is not None]
    against = {
        **{name: [(getattr(r, name), r.measured) for r in scored] for name in ESTIMATES},
        "predicted, of what tensors occupied": [(row.predicted_allocated, row.allocated or 0.0) for row in on_cuda],
    }
    for name, pairs in against.items():
        if errors := sorted(abs(said / measured - 1) for said, measured in pairs):
            high = errors[min(len(errors) - 1, round(0.95 * (len(errors) - 1)))]
            lines.append(
                f"\n{name}: median {100 * statistics.median(errors):.1f} %, 95th percentile {100 * high:.1f} %"
            )
    where = " and ".join(sorted({row.on for row in rows}))
    return "\n".join(lines) + f"\n\non {where}, {len(scored)} scored"


if __name__ == "__main__":
    main()
