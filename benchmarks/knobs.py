"""What each knob saves and costs: memory, speed and weight bytes, each configuration in a process of its own.

    python benchmarks/knobs.py
    python benchmarks/knobs.py backbone=prithvi_eo_v2_tiny_tl train.batch_size=16

On a CPU the memory is the resident set's growth; on CUDA it is VRAM, and offloads are measured as well. Ratios are to
the first row of each group, in one run; compare them, not numbers of two machines.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from terrasweep.config.compose import compose
from terrasweep.machine.hardware import gpu_names
from terrasweep.results.states import State
from terrasweep.trial.run import run_trial

COMMON = (
    "backbone=terramind_v1_tiny",
    "backbone.checkpoint=null",
    "decoder=linear",
    "data.synthetic.train=64",
    "data.synthetic.val=6",
    "data.synthetic.test=0",
    "train.batch_size=32",
    "train.untimed_steps=3",
    "train.count_flops=false",
    "train.save_weights=false",
)
GROUPS: dict[str, tuple[str, ...]] = {
    "tuning": ("tuning=full", "tuning=lora", "tuning=lora tuning.targets=qv", "tuning=frozen"),
    "quantization": tuple(f"quantization={name}" for name in ("none", "int8", "fp4", "nf4", "nf4_double")),
    "checkpointing": ("checkpointing=none", "checkpointing=every_n", "checkpointing=blocks"),
    "precision": ("precision=fp32", "precision=bf16"),
    "optimizer": tuple(f"tuning=full optimizer={name}" for name in ("adamw", "adamw8bit", "paged_adamw8bit"))
    + tuple(f"tuning=full optimizer.implementation={name}" for name in ("foreach", "loop")),
}
OFFLOADS = tuple(f"tuning=full offload={name}" for name in ("none", "activations", "optimizer", "parameters"))


@dataclass(frozen=True)
class Row:
    """One configuration and what it measured."""

    group: str
    knobs: str
    peak_memory_mib: float
    samples_per_s: float
    weight_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="timed steps per configuration")
    parser.add_argument("--groups", nargs="*", default=[], help="only these")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for every configuration")
    arguments = parser.parse_intermixed_args()
    groups = GROUPS | ({"offload": OFFLOADS} if gpu_names() else {})
    chosen = {name: groups[name] for name in arguments.groups or groups}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TERRASWEEP_HOME"] = folder
        rows = [
            measure(group, knobs, arguments.steps, arguments.overrides, Path(folder))
            for group, settings in chosen.items()
            for knobs in settings
        ]
    print(json.dumps([row.__dict__ for row in rows]) if arguments.json else table(rows))


def measure(group: str, knobs: str, steps: int, overrides: list[str], home: Path) -> Row:
    """Run one configuration as a trial."""
    config = compose([*COMMON, f"train.max_steps={steps}", *overrides, *knobs.split()])
    result = run_trial(config, home / "trials" / knobs.replace(" ", "_"))
    if result.state is not State.COMPLETE:
        raise SystemExit(f"{knobs}: {result.state}: {result.message}")
    peak, throughput, weight = (
        result.value(name) for name in ("peak_memory_mib", "throughput_samples_per_s", "weight_bytes")
    )
    assert peak is not None
    assert throughput is not None
    assert weight is not None
    return Row(group, knobs, peak, throughput, int(weight))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, with ratios to the first row of each group."""
    lines = [
        "| knobs | peak memory (MiB) | ratio | samples/s | ratio | weights (MiB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        first = next(other for other in rows if other.group == row.group)
        memory, speed = row.peak_memory_mib / first.peak_memory_mib, row.samples_per_s / first.samples_per_s
        lines.append(
            f"| `{row.knobs}` | {row.peak_memory_mib:.0f} | {memory:.2f} | {row.samples_per_s:.0f} | {speed:.2f} "
            f"| {row.weight_bytes / 2**20:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
