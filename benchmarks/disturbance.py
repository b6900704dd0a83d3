"""How often a trial is marked as disturbed: beside busy loops, and on a quiet machine.

    python benchmarks/disturbance.py [--disturbed 10] [--quiet 20]

Small trials, each in a process of its own as in a study. Beside some of them a busy loop runs on each processor that
this process may use; which ones is drawn, so that the machine is alike for both kinds. At least nine of ten should be
marked beside the loops, and at most one of twenty without them, on a machine that nobody else uses.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from terrasweep.config.compose import compose
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import compute_threads, cpu_name
from terrasweep.trial.run import run_trial

SMALL = [
    *("backbone=prithvi_eo_tiny", "backbone.checkpoint=null", "decoder=linear"),
    *("data.synthetic.train=64", "data.synthetic.val=8", "data.synthetic.test=0"),
    *("train.batch_size=8", "train.untimed_steps=5", "train.count_flops=false", "train.save_weights=false"),
]
LOOP = "import os; os.sched_setaffinity(0, {{{}}})\nwhile True: pass"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--disturbed", type=int, default=10, help="trials beside busy loops")
    options.add_argument("--quiet", type=int, default=20, help="trials without them")
    options.add_argument("--steps", type=int, default=40, help="timed steps of each")
    chosen = options.parse_args()
    kinds = [True] * chosen.disturbed + [False] * chosen.quiet
    random.Random(0).shuffle(kinds)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TERRASWEEP_HOME"] = folder
        config = compose([*SMALL, f"train.max_steps={chosen.steps}", "train.device=cpu"])
        disturbance_of(config, Path(folder) / "first", loops=False)  # Libraries are imported and tiles made here.
        marked: dict[bool, list[str]] = {True: [], False: []}
        for number, loops in enumerate(kinds, start=1):
            words = disturbance_of(config, Path(folder) / str(number), loops=loops)
            marked[loops].append(words)
            print(f"{number} of {len(kinds)}, {'beside loops' if loops else 'quiet'}: {words or '-'}", flush=True)
    print(f"\n{cpu_name()}, {len(os.sched_getaffinity(0))} processors, {compute_threads()} threads per trial")
    print("\n| trials | marked |\n| --- | --- |")
    for loops, name in ((True, "beside a busy loop on each processor"), (False, "on a quiet machine")):
        print(f"| {name} | {sum(map(bool, marked[loops]))} of {len(marked[loops])} |")


def disturbance_of(config: TrialConfig, folder: Path, *, loops: bool) -> str:
    """What disturbed a trial, in its own words; empty where nothing did."""
    folder.mkdir()
    with busy_loops() if loops else contextlib.nullcontext():
        result = run_trial(config, folder)
    if result.value("throughput_samples_per_s") is None:
        raise SystemExit(f"the trial did not run: {result.message}")
    return str(result.measurements["disturbed"])


@contextlib.contextmanager
def busy_loops() -> Iterator[None]:
    """A process on each processor that computes nothing without a pause."""
    loops = [
        subprocess.Popen([sys.executable, "-S", "-c", LOOP.format(processor)])
        for processor in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    main()
