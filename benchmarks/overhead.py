"""What terrasweep costs around a trial, against its peers, in one run on one machine.

    python benchmarks/overhead.py [--trials 10] [--repeats 5] [--part known]

Per trial that trains one step, the wall seconds that are not data opening, build, training or evaluation:

terrasweep   python sweep.py -m: a process per trial, Hydra, Optuna, MLflow and all files
shipped      the same task under hydra-optuna-sweeper as shipped, which runs it in-process and tracks nothing
fresh        a fresh python per trial, which imports everything again

the seconds of trials of which something is known: of one that is answered, and of a probe beside its build and fifteen
steps; and the training time of a trial over that of the same Lightning loop with nothing around it. Sweeps are timed at
two lengths, and the difference is divided by the trials between, so that what a sweep costs once doesn't count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INNER = ("open_data_seconds", "build_seconds", "fit_seconds", "evaluate_seconds")
SMALL = [
    "backbone.checkpoint=null",
    "data.synthetic.train=16",
    "data.synthetic.val=8",
    "data.synthetic.test=0",
    "train.batch_size=4",
]
ONE_STEP = [*SMALL, "train.max_steps=1", "train.untimed_steps=0"]
LONG = [*SMALL, "data.synthetic.train=64", "train.batch_size=16", "train.max_steps=60"]
NO_EXTRAS = ["study.baselines=none", "study.test=false"]
TRIALS_ALONE = [*NO_EXTRAS, "confirm.rounds=0"]
LORA = ["quantization=none", "tuning.rank=4", "tuning.targets=attention"]
FIXED = [*LORA, "checkpointing=none"]
Measured = dict[str, float]
AIM_STEPS = 15
"""What a probe may cost beside its build, in median steps; it trains 8, two of which are slower."""
PROBE_PARTS = dict(zip(INNER, ("opening the data", "build", "training", "evaluation"), strict=True))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trials", type=int, default=10, help="trials between the short and the long sweep")
    options.add_argument("--repeats", type=int, default=5, help="training runs of either")
    options.add_argument("--part", choices=("known", "peers"), help="only trials of which something is known, or peers")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("sweeps", "search_spaces"):
            (home / name).symlink_to(ROOT / name)
        environment = {**os.environ, "TERRASWEEP_HOME": str(home)}
        run([sys.executable, "sweep.py", *FIXED, *ONE_STEP], environment)  # Tiles, caches and mlflow.db are made here.
        if chosen.part != "peers":
            print_known(home, environment)
        if chosen.part != "known":
            print_beside_peers(home, environment, chosen.trials, chosen.repeats)


def print_known(home: Path, environment: dict[str, str]) -> None:
    answered, probes, confirming = known_seconds(home, environment)
    took = f"takes {statistics.median(answered):.3f} s" if answered else "is not seen: the machine is too busy"
    print(f"A trial that is answered {took}.")
    print_probes("A probe", probes)
    print_probes("A probe of the confirmation round, where operations are not counted again,", confirming)
    parts = {name: [probe[part] for probe in confirming] for part, name in PROBE_PARTS.items()}
    parts["its process"] = [probe["wall_seconds"] - sum(probe[part] for part in INNER) for probe in confirming]
    print(", ".join(f"{name} {statistics.median(seconds):.2f} s" for name, seconds in parts.items()), flush=True)


def print_beside_peers(home: Path, environment: dict[str, str], trials: int, repeats: int) -> None:
    composed = cfg_job_seconds(environment)
    own = terrasweep_seconds(home, environment, trials)
    shipped = shipped_seconds(home, environment, trials)
    fresh = fresh_seconds(environment, max(3, trials // 3))
    print(f"\n| overhead per trial | seconds | terrasweep is |\n| --- | --- | --- |\n| terrasweep | {own:.2f} | |")
    print(f"| (a) hydra-optuna-sweeper as shipped, in-process | {shipped:.2f} | {own - shipped:+.2f} s |")
    print(f"| (b) a fresh python per trial | {fresh:.2f} | {fresh / own:.0f} times less |")
    print(f"\n`sweep.py --cfg job` answers in {composed:.2f} s.", flush=True)
    ratio = training_ratio(home, environment, repeats)
    print(f"Training takes {ratio:.3f} times as long as the same Lightning loop with nothing around it.")


def run(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Wall seconds and standard output of a command that must succeed."""
    started = time.perf_counter()
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)}\n{finished.stdout}\n{finished.stderr}")
    return seconds, finished.stdout


def cfg_job_seconds(environment: dict[str, str]) -> float:
    command = [sys.executable, "sweep.py", "--cfg", "job"]
    return statistics.median(run(command, environment)[0] for _ in range(5))


def terrasweep_seconds(home: Path, environment: dict[str, str], trials: int) -> float:
    seconds = {}
    for name, total in (("short", 2), ("long", 2 + trials)):
        command = [sys.executable, "sweep.py", "-m", f"study.name={name}", f"study.n_trials={total}", *FIXED, *ONE_STEP]
        # Something must be searched; these two cost the same.
        seconds[name] = run([*command, *TRIALS_ALONE, "reuse=off", "train.seed=choice(0,1)"], environment)[0]
    inner = [sum(measurements(f)[key] for key in INNER) for f in (home / "results/long/trials").glob("*/result.json")]
    return (seconds["long"] - seconds["short"]) / trials - statistics.mean(inner)


def known_seconds(home: Path, environment: dict[str, str]) -> tuple[list[float], list[Measured], list[Measured]]:
    """Seconds of answered trials, and the measurements of probes: of trials, and of the confirmation round.

    Three seeds are trained. A second study asks for them again, which is answered, and with checkpointing, which is
    probed until nothing has disturbed a probe. Such a trial tells no seconds of its steps; the confirmation round does.
    """
    grid = [sys.executable, "sweep.py", "-m", "~search_spaces", "hydra/sweeper/sampler=grid", "decoder=linear"]
    seeds = ["train.seed=choice(0,1,2)", *LORA, *LONG]
    run([*grid, *seeds, *TRIALS_ALONE, "study.name=known", "study.n_trials=3", "checkpointing=none"], environment)
    again = [*seeds, *NO_EXTRAS, "confirm.rounds=3", "study.name=again", "study.n_trials=6", "reuse.studies=[known]"]
    run([*grid, *again, "checkpointing=choice(none,blocks)"], environment)
    trials = [json.loads(f.read_text()) for f in (home / "results/again/trials").glob("*/result.json")]
    probes = [t["measurements"] for t in trials if t["accuracy_from"] and not t["cost_from"]]
    answered = [t["measurements"]["wall_seconds"] for t in trials if t["accuracy_from"] and t["cost_from"]]
    confirming = [measurements(f) for f in (home / "results/again/confirmations").glob("*/result.json")]
    if not (probes and confirming):
        raise SystemExit(f"{len(probes)} probes and {len(confirming)} confirmations of {len(trials)} trials")
    return answered, probes, confirming


def print_probes(what: str, probes: list[Measured]) -> None:
    """What probes take, beside their build and as many median steps."""
    whole = [probe["wall_seconds"] for probe in probes]
    least = [probe["build_seconds"] + AIM_STEPS * probe["step_time_p50_s"] for probe in probes]
    ratio = statistics.median(all_of / needed for all_of, needed in zip(whole, least, strict=True))
    print(f"{what} takes {statistics.median(whole):.2f} s ({min(whole):.2f} to {max(whole):.2f}, {len(whole)} probes),")
    print(f"{ratio:.2f} times its build and {AIM_STEPS} median steps, {statistics.median(least):.2f} s.", flush=True)


def measurements(result: Path) -> Measured:
    found: Measured = json.loads(result.read_text())["measurements"]
    return found


def shipped_seconds(home: Path, environment: dict[str, str], trials: int) -> float:
    peer = str(ROOT / "benchmarks" / "peer.py")
    arguments = [
        "~search_spaces",
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_jobs=1",
        "hydra.sweeper.direction=[maximize,maximize,minimize]",
        f"hydra.sweeper.storage=sqlite:///{home}/peer.db",
        "+peer=shipped",
        *FIXED,
        *ONE_STEP,
        "train.seed=choice(0,1)",
    ]
    found = {}
    for total in (2, 2 + trials):
        command = [sys.executable, peer, "-m", f"hydra.sweeper.n_trials={total}", f"hydra.sweeper.study_name=s{total}"]
        seconds, printed = run([*command, *arguments], environment)
        found[total] = seconds - sum(inner_seconds(printed))
    return (found[2 + trials] - found[2]) / trials


def inner_seconds(printed: str) -> list[float]:
    return [float(line.split()[1]) for line in printed.splitlines() if line.startswith("INNER ")]


def fresh_seconds(environment: dict[str, str], trials: int) -> float:
    peer = str(ROOT / "benchmarks" / "peer.py")
    found = []
    for _ in range(trials):
        seconds, printed = run([sys.executable, peer, "+peer=fresh", *FIXED, *ONE_STEP], environment)
        found.append(seconds - sum(inner_seconds(printed)))
    return statistics.mean(found)


def training_ratio(home: Path, environment: dict[str, str], repeats: int) -> float:
    """Shortest timed steps of either, taken in turns: what else runs on the machine only ever adds."""
    peer = str(ROOT / "benchmarks" / "peer.py")
    own, bare = [], []
    for _ in range(repeats):
        known = set((home / "results/single").iterdir())
        run([sys.executable, "sweep.py", *FIXED, *LONG], environment)
        (folder,) = set((home / "results/single").iterdir()) - known
        _, printed = run([sys.executable, peer, "+peer=bare", *FIXED, *LONG], environment)
        bare.append(next(float(line.split()[1]) for line in printed.splitlines() if line.startswith("TRAIN ")))
        own.append(measurements(folder / "result.json")["train_seconds"])
        print(f"training: terrasweep {own[-1]:.3f} s, the bare loop {bare[-1]:.3f} s", flush=True)
    return min(own) / min(bare)


if __name__ == "__main__":
    main()
