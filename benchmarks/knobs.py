"""What each knob saves and costs: memory, speed and weight bytes, each configuration in a process of its own.

    python benchmarks/knobs.py
    python benchmarks/knobs.py --rounds 5 --groups frozen_dtype augment
    python benchmarks/knobs.py backbone=prithvi_eo_v2_tiny_tl train.batch_size=16

On a CPU the memory is the resident set's growth; on CUDA it is VRAM, and offloads are measured as well. Ratios are to
the first row of each group in the same round, of several rounds the median and the range; compare them, not numbers of
two machines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from functools import partial
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
    "frozen_dtype": tuple(f"tuning.frozen_dtype={name}" for name in ("fp32", "bf16")),
    "initialisation": tuple(f"tuning.initialisation={name}" for name in ("default", "pissa", "eva")),
    "initialisation on nf4": tuple(f"quantization=nf4 tuning.initialisation={name}" for name in ("default", "loftq")),
    "augment": tuple(f"augment={name}" for name in ("none", "mirror", "flips", "d4")),
    "checkpointing": ("checkpointing=none", "checkpointing=every_n", "checkpointing=blocks"),
    "precision": ("precision=fp32", "precision=bf16"),
    "optimizer": tuple(f"tuning=full optimizer={name}" for name in ("adamw", "adamw8bit", "paged_adamw8bit"))
    + tuple(f"tuning=full optimizer.implementation={name}" for name in ("foreach", "loop")),
}
OFFLOADS = tuple(f"tuning=full offload={name}" for name in ("none", "activations", "optimizer", "parameters"))


@dataclass(frozen=True)
class Setting:
    """One configuration in a round."""

    group: str
    knobs: str
    round: int


@dataclass(frozen=True)
class Row(Setting):
    """What it measured."""

    peak_memory_mib: float
    samples_per_s: float
    weight_bytes: int
    build_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="timed steps per configuration")
    parser.add_argument("--rounds", type=int, default=1, help="how often each configuration is measured, in turn")
    parser.add_argument("--groups", nargs="*", default=[], help="only these")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for every configuration")
    arguments = parser.parse_intermixed_args()
    groups = GROUPS | ({"offload": OFFLOADS} if gpu_names() else {})
    chosen = {name: groups[name] for name in arguments.groups or groups}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TERRASWEEP_HOME"] = folder
        rows = [
            measure(Setting(group, knobs, number), arguments.steps, arguments.overrides, Path(folder))
            for number in range(arguments.rounds)
            for group, settings in chosen.items()
            for knobs in settings
        ]
    print(json.dumps([row.__dict__ for row in rows]) if arguments.json else table(rows))


def measure(setting: Setting, steps: int, overrides: list[str], home: Path) -> Row:
    """Run one configuration as a trial."""
    config = compose([*COMMON, f"train.max_steps={steps}", *overrides, *setting.knobs.split()])
    folder = home / "trials" / f"{setting.group}-{setting.knobs}-{setting.round}".replace(" ", "_")
    result = run_trial(config, folder)
    if result.state is not State.COMPLETE:
        raise SystemExit(f"{setting.knobs}: {result.state}: {result.message}")
    names = ("peak_memory_mib", "throughput_samples_per_s", "weight_bytes", "build_seconds")
    values = [value for name in names if (value := result.value(name)) is not None]
    peak, throughput, weight, build = values
    return Row(
        **setting.__dict__, peak_memory_mib=peak, samples_per_s=throughput, weight_bytes=int(weight), build_s=build
    )


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, with ratios to the first row of each group."""
    lines = [
        "| knobs | peak memory (MiB) | ratio | samples/s | ratio | weights (MiB) | build (s) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for group, knobs in dict.fromkeys((row.group, row.knobs) for row in rows):
        first = [row for row in rows if row.group == group and row.knobs == first_of(rows, group)]
        own = [row for row in rows if (row.group, row.knobs) == (group, knobs)]
        ratio = partial(ratios, own, first)
        peak, speed, build = (
            statistics.median(getattr(row, name) for row in own)
            for name in ("peak_memory_mib", "samples_per_s", "build_s")
        )
        lines.append(
            f"| `{knobs}` | {peak:.0f} | {ratio('peak_memory_mib')} | {speed:.0f} | {ratio('samples_per_s')} "
            f"| {own[0].weight_bytes / 2**20:.1f} | {build:.1f} |"
        )
    return "\n".join(lines)


def first_of(rows: list[Row], group: str) -> str:
    """The configuration that a group's ratios are to."""
    return next(row.knobs for row in rows if row.group == group)


def ratios(own: list[Row], first: list[Row], name: str) -> str:
    """The median ratio of a measurement over the rounds, and the range of several."""
    found = [getattr(row, name) / getattr(other, name) for row, other in zip(own, first, strict=True)]
    spread = f" ({min(found):.2f} - {max(found):.2f})" if len(found) > 1 and own != first else ""
    return f"{statistics.median(found):.2f}{spread}"


if __name__ == "__main__":
    main()
