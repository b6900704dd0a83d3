"""A study with the memory gate beside the same study without it: what is skipped, and whether the front stays.

    python benchmarks/gate.py [--folder FOLDER] [--json] [key=value ...]

A grid of 108 configurations of a small ViT on tiles of 112 px is run twice: once without a memory budget, which tells
each one's peak, and once with a budget at the median of these peaks, which half of them don't fit. There the gate
starts from its defaults, with nothing measured, and learns as the study goes. Objectives are the accuracy and the
operations of a step: both are the same when a configuration is trained again, so that the fronts can be compared, and
what saves memory by computing more is on the front where the rest does not fit.

With ``--folder`` all results stay, and what was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from terrasweep.measure.peak_memory import PEAK_BUILD, PEAK_MEMORY
from terrasweep.results.gate import Gate
from terrasweep.results.pareto import front
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import percent

ROOT = Path(__file__).resolve().parents[1]
SPACE = {
    "tuning": ("full", "lora", "frozen"),
    "train.batch_size": (2, 3, 4, 6, 8, 12),
    "train.accumulate": (1, 2),
    "checkpointing": ("none", "every_n", "blocks"),
}
COMMON = (
    *("-m", "~search_spaces", "hydra/sweeper/sampler=grid"),
    *("backbone=timm_vit_small_patch16_224", "backbone.checkpoint=null", "decoder=linear", "quantization=none"),
    *("data.tile_px=112", "data.synthetic.train=24", "data.synthetic.val=6", "data.synthetic.test=0"),
    *("train.max_steps=2", "train.untimed_steps=3", "train.save_weights=false", "train.device=cpu"),
    *("probe.steps=1", "probe.evaluation_batches=1", "confirm.rounds=0", "study.baselines=none", "study.test=false"),
    "study.objectives=[{name:accuracy,direction:maximize},{name:flops_per_step,direction:minimize}]",
)
OUT_OF_MEMORY = (Reason.OOM_DEVICE, Reason.OOM_HOST)
MIB_PER_GIB = 1024
Results = Mapping[str, TrialResult]
"""By their settings, as text."""
Space = Mapping[str, Sequence[object]]
"""The values of each key."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a study with a budget and the gate came to, by what the same configurations measured without."""

    configurations: int
    budget_mib: float
    fitting: int
    """Of the configurations, by their peaks without a budget."""
    skipped: int
    verified: int
    """Run all the same, though by their predictions they can't fit."""
    over_budget: int
    """Started, since they might fit, and ended after their first steps."""
    complete: int
    out_of_memory: int
    false_skips: tuple[str, ...]
    """The settings of those that were skipped, or run to be verified, and fit."""
    lost: tuple[str, ...]
    """The settings of those that fit, were started, and did not complete: their peak was another one."""
    front: tuple[str, ...]
    """Of the study without the gate, of what fits the budget."""
    front_with_gate: tuple[str, ...]
    first_skip: int | None
    """How many trials had been run before."""
    seconds: float
    """Of the trials' processes."""
    seconds_with_gate: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where results stay")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for all configurations")
    chosen = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() if chosen.folder is None else nullcontext(chosen.folder) as folder:
        found = run_both(Path(folder).absolute(), chosen.overrides)
    print(json.dumps(asdict(found), indent=1) if chosen.json else table(found))


def run_both(home: Path, overrides: list[str]) -> Comparison:
    """Run the grid without a budget and with one, below a project root."""
    home.mkdir(parents=True, exist_ok=True)
    every = run(home, "every", [*overrides, "budget.gate=off"])
    unfinished = [settings for settings, result in every.items() if result.state is not State.COMPLETE]
    if unfinished or len(every) != math.prod(map(len, SPACE.values())):
        raise SystemExit(f"without a budget {len(every)} trials came to an end; not complete: {unfinished}")
    budget = statistics.median(map(peak, every.values()))
    limits = [f"budget.memory_gib={budget / MIB_PER_GIB}", "budget.gate_verify=0.1"]
    return compare(every, run(home, "gated", [*overrides, *limits]), budget)


def run(home: Path, name: str, overrides: list[str]) -> Results:
    """Run a study over the grid, or what is missing of it."""
    command = [sys.executable, str(ROOT / "sweep.py"), *arguments(name, SPACE), *overrides]
    environment = {**os.environ, "TERRASWEEP_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    return read_results(home, name)


def arguments(name: str, space: Space) -> list[str]:
    """What ``sweep.py`` is given for a study over a grid."""
    grid = [f"{key}=choice({','.join(map(str, values))})" for key, values in space.items()]
    return [*COMMON, *grid, f"study.name={name}", f"study.n_trials={math.prod(map(len, space.values()))}"]


def read_results(home: Path, name: str) -> Results:
    """What a study below a project root has come to."""
    files = (home / "results" / name / "trials").glob("[0-9]*/result.json")
    results = [TrialResult.from_json(file.read_text()) for file in files]
    return {json.dumps(result.searched, sort_keys=True): result for result in results}


def compare(every: Results, gated: Results, budget_mib: float) -> Comparison:
    """What the gate did, by what the same configurations measured without it.

    Args:
        every: Results without a budget, all of them complete.
        gated: Results with the gate.
        budget_mib: The budget of the latter.
    """
    fitting = {settings: result for settings, result in every.items() if peak(result) <= budget_mib}
    complete = {settings: result for settings, result in gated.items() if result.state is State.COMPLETE}
    refused = [s for s, result in gated.items() if result.gate in (Gate.SKIPPED, Gate.VERIFIED)]
    started = [s for s, result in gated.items() if s not in refused]
    skips = [result.number for result in gated.values() if result.gate == Gate.SKIPPED and result.number is not None]
    return Comparison(
        configurations=len(every),
        budget_mib=budget_mib,
        fitting=len(fitting),
        skipped=len(skips),
        verified=len(refused) - len(skips),
        over_budget=sum(gated[settings].reason is Reason.OVER_BUDGET for settings in started),
        complete=len(complete),
        out_of_memory=sum(result.reason in OUT_OF_MEMORY for result in gated.values()),
        false_skips=tuple(sorted(settings for settings in refused if settings in fitting)),
        lost=tuple(sorted(settings for settings in started if settings in fitting and settings not in complete)),
        front=front_of(fitting),
        front_with_gate=front_of(complete),
        first_skip=min(skips, default=None),
        seconds=seconds_of(every),
        seconds_with_gate=seconds_of(gated),
    )


def peak(result: TrialResult) -> float:
    """What has to fit the budget."""
    return max(result.value(name) or 0.0 for name in (PEAK_MEMORY.name, PEAK_BUILD.name))


def front_of(results: Results) -> tuple[str, ...]:
    """The settings that no others beat in accuracy and operations."""
    names = ["accuracy", "flops_per_step"]
    values = {s: found for s in sorted(results) if (found := results[s].objective_values(names)) is not None}
    settings = list(values)
    return tuple(settings[place] for place in front(list(values.values()), [True, False]))


def seconds_of(results: Results) -> float:
    """What all trials took, those that were answered or not started included."""
    return sum(result.value("wall_seconds") or 0.0 for result in results.values())


def table(found: Comparison) -> str:
    """The comparison in Markdown."""
    refused, misfits = found.skipped + found.verified, found.configurations - found.fitting
    is_equal = "equal" if found.front == found.front_with_gate else "NOT equal"
    rows = {
        "configurations": f"{found.configurations}",
        "budget, the median of their peaks": f"{found.budget_mib:.0f} MiB",
        "that fit it, as measured without a budget": f"{found.fitting}",
        "not started": f"{found.skipped} of {misfits} that don't fit",
        "that can't fit by their predictions, run to be verified": f"{found.verified}",
        "started, and over the budget after their first steps": f"{found.over_budget}",
        "trials before the first that was not started": f"{found.first_skip}",
        "out of memory": f"{found.out_of_memory}",
        "false skips": f"{len(found.false_skips)} of {refused} ({percent(len(found.false_skips) / max(1, refused))})",
        "that fit without a budget, and were measured above it with one": f"{len(found.lost)}",
        "the front, without the gate and with it": f"{len(found.front)} and {len(found.front_with_gate)}, {is_equal}",
        "seconds of all trials, without the gate and with it": f"{found.seconds:.0f} and {found.seconds_with_gate:.0f}",
    }
    lines = [f"| {what} | {value} |" for what, value in rows.items()]
    wrong = [f"false skip: {settings}" for settings in found.false_skips] + [f"lost: {s}" for s in found.lost]
    return "\n".join(["| | |", "| --- | --- |", *lines, *wrong])


if __name__ == "__main__":
    main()
