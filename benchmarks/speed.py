"""Predicted against measured throughput, each configuration measured in a process of its own.

    python benchmarks/speed.py
    python benchmarks/speed.py train.batch_size=16
    python benchmarks/speed.py --file benchmarks/memory_configurations.txt --folder /tmp/speed

A file has one configuration a line, as ``key=value key=value``; what stands on the command line holds for all of them.
Measured is the throughput of the median of some steps. It stands beside what the device's rates alone say, and beside
what a calibration by all other rows says, as a study's would by its other trials. ``--folder`` keeps what was measured
and predicted, so that a run that was ended goes on where it was. A busy machine measures itself.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.memory import COMMON, write_modalities

from terrasweep.config.compose import compose
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device
from terrasweep.predict.step_work import device_kind
from terrasweep.results.speed_calibration import Timed, calibrate
from terrasweep.trial.run import run_trial
from terrasweep.trial.traced_costs import trace_costs

STEPS = ("probe.steps=10", "train.untimed_steps=3")
SMALL = "backbone=prithvi_eo_tiny_wide data.tile_px=64"
CONFIGURATIONS = (
    f"{SMALL} tuning=full",
    f"{SMALL} tuning=full train.batch_size=8",
    f"{SMALL} tuning=full train.batch_size=32",
    f"{SMALL} tuning=lora train.batch_size=8",
    f"{SMALL} tuning=lora train.batch_size=32",
    f"{SMALL} tuning=frozen train.batch_size=16",
    f"{SMALL} tuning=lora checkpointing=blocks train.batch_size=16",
    f"{SMALL} tuning=full checkpointing=blocks train.batch_size=8",
    f"{SMALL} tuning=full decoder=unet train.batch_size=8",
    f"{SMALL} tuning=lora decoder=linear train.batch_size=16",
    f"{SMALL} tuning=lora quantization=nf4 train.batch_size=8",
    f"{SMALL} tuning=lora quantization=nf4 train.batch_size=32",
    f"{SMALL} tuning=lora precision=bf16 train.batch_size=8",
    f"{SMALL} tuning=full precision=bf16 train.batch_size=16",
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is said of one configuration, in samples/s."""

    knobs: str
    measured: float
    roofline: float
    by_others: float
    """What a calibration by all other rows says."""
    disturbed: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="configurations, one a line")
    parser.add_argument("--folder", type=Path, help="where measured rows and predictions are kept, and taken from")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for every configuration")
    arguments = parser.parse_intermixed_args()
    lines = arguments.file.read_text().splitlines() if arguments.file else CONFIGURATIONS
    knobs = [" ".join([line, *arguments.overrides]) for line in lines if line.strip() and not line.startswith("#")]
    with tempfile.TemporaryDirectory() if arguments.folder is None else nullcontext(arguments.folder) as folder:
        rows = compare(knobs, Path(folder).absolute())
    print(json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else table(rows))


def compare(knobs: list[str], folder: Path) -> list[Row]:
    """Measure and predict each configuration; what can't be is told, and left out."""
    os.environ["TERRASWEEP_HOME"] = str(folder)
    write_modalities(folder / "modalities")
    configs = {line: compose([*COMMON, *STEPS, *line.split()]) for line in knobs}
    kept = folder / "measured.jsonl"
    known = {found["knobs"]: found for found in map(json.loads, kept.read_text().splitlines())} if kept.exists() else {}
    for line, config in configs.items():
        if line not in known and (found := measure(line, config, folder / "trial")) is not None:
            known[line] = found
            with kept.open("a") as file:
                file.write(json.dumps(found) + "\n")
    return rows_of({line: config for line, config in configs.items() if line in known}, known, folder)


def rows_of(configs: dict[str, TrialConfig], known: dict[str, Any], folder: Path) -> list[Row]:
    """Rows of what was measured, with what is predicted of each."""
    costs = trace_costs(list(configs.values()), folder / "predict.log", timeout_s=60.0 * len(configs))
    timed = {
        line: Timed(cost.work, configs[line].train.batch_size / known[line]["measured"])
        for line, cost in zip(configs, costs, strict=True)
        if cost is not None
    }
    device = effective_device("auto")
    rows = []
    for line, (work, _) in timed.items():
        others = calibrate([trial for other, trial in timed.items() if other != line], device)
        samples = configs[line].train.batch_size
        roofline, by_others = samples / work.seconds, samples / others.expected(work)
        rows.append(Row(**known[line], roofline=roofline, by_others=by_others))
    return rows


def measure(knobs: str, config: TrialConfig, folder: Path) -> dict[str, Any] | None:
    """A row without its predictions, from a trial in a process of its own; None where it has no throughput."""
    shutil.rmtree(folder, ignore_errors=True)
    result = run_trial(config, folder)
    throughput = result.value("throughput_median_samples_per_s")
    print(f"{knobs}: {result.state}: {result.message or throughput}", file=sys.stderr, flush=True)
    if throughput is None:
        return None
    return {"knobs": knobs, "measured": throughput, "disturbed": str(result.measurements.get("disturbed") or "")}


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, with the errors of each way to tell."""
    lines = [
        "| knobs | measured (samples/s) | by the rates alone | by the other rows | error |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{row.knobs}` | {row.measured:.1f} | {row.roofline:.1f} | {row.by_others:.1f} "
        f"| {100 * (row.by_others / row.measured - 1):+.0f} % |"
        for row in rows
    ]
    for name in ("roofline", "by_others"):
        errors = sorted(abs(getattr(row, name) / row.measured - 1) for row in rows)
        if errors:
            high = errors[min(len(errors) - 1, round(0.95 * (len(errors) - 1)))]
            lines.append(
                f"\n{name}: median {100 * statistics.median(errors):.0f} %, 95th percentile {100 * high:.0f} %"
            )
    disturbed = sum(bool(row.disturbed) for row in rows)
    return "\n".join(lines) + f"\n\non {device_kind(effective_device('auto'))}, {disturbed} of {len(rows)} disturbed"


if __name__ == "__main__":
    main()
