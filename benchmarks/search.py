"""What a search costs until it knows the front: samplers replay recorded tables in simulated seconds.

    python benchmarks/search.py [--table FILE] [--seeds 20] [--samplers factored tpe] [--json OUT]
    python benchmarks/search.py --list

Without a table it is a model of a search with 16,128 configurations. Prints the median seconds of training and probing
to 90, 95 and 99 % of the best known hypervolume, the area under the curve, and what a sampler itself takes.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.search_replay import PEERS, Course, Replay, replay
from benchmarks.search_table import BadTable, Table, model_table, read_table

SHARES = (0.90, 0.95, 0.99)


def main() -> None:
    options = _options()
    if options.list:
        for name, peer in PEERS.items():
            print(f"{name:24} {peer.what}")
        return
    if unknown := sorted(set(options.samplers) - PEERS.keys()):
        sys.exit(f"--samplers {' '.join(unknown)}: unknown; --list shows them")
    if min(options.seeds, options.trials) < 1:
        sys.exit(f"--seeds {options.seeds} --trials {options.trials}: nothing would be searched; use 1 or more")
    try:
        table = read_table(options.table) if options.table else model_table()
    except BadTable as error:
        sys.exit(str(error))
    compared = Replay(table=table, trials=options.trials, predictor_error=options.predictor_error)
    found = {}
    print(_head(table))
    for name in options.samplers:
        courses = [
            replay(compared, PEERS[name], seed)
            for seed in range(options.first_seed, options.first_seed + options.seeds)
        ]
        found[name] = summary(courses, horizon(compared))
        print(_line(name, found[name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"table": table.name, "samplers": found}, indent=2) + "\n")


def horizon(compared: Replay) -> float:
    """Simulated seconds over which the area under the curve is taken: those of a training for each trial."""
    return compared.trials * compared.table.mean_train_seconds()


def summary(courses: Sequence[Course], until: float) -> dict[str, Any]:
    """Medians over the seeds; a search that did not reach a share counts with more than it took."""
    found: dict[str, Any] = {"seeds": len(courses), "trials": [len(c.seconds) for c in courses]}
    for share in SHARES:
        reached = [course.seconds_to(share) for course in courses]
        found[f"seconds_to_{share:.2f}"] = reached
        found[f"median_to_{share:.2f}"] = _finite(statistics.median(math.inf if s is None else s for s in reached))
    found["shares"] = [course.shares[-1] for course in courses]
    found["seconds"] = [course.seconds[-1] for course in courses]
    found["area"] = statistics.mean(course.area(until) for course in courses)
    found["trainings"] = statistics.median(course.trainings for course in courses)
    found["own_seconds_per_proposal"] = statistics.mean(s for course in courses for s in course.own_seconds)
    found["own_seconds_of_last"] = statistics.mean(s for course in courses for s in course.own_seconds[-10:])
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _head(table: Table) -> str:
    title = f"{table.name}: {len(table.rows):,} configurations, mean training {table.mean_train_seconds():.0f} s"
    columns = [
        "search",
        *(f"to {share:.0%} (s)" for share in SHARES),
        "reached",
        "at the end",
        "area",
        "trainings",
        "own s/proposal",
    ]
    return f"{title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}"


def _line(name: str, found: dict[str, Any]) -> str:
    least = statistics.median(found["seconds"])
    medians = [found[f"median_to_{share:.2f}"] for share in SHARES]
    shown = [f"> {least:,.0f}" if median is None else f"{median:,.0f}" for median in medians]
    reached = " ".join(str(sum(s is not None for s in found[f"seconds_to_{share:.2f}"])) for share in SHARES)
    own = f"{found['own_seconds_per_proposal']:.3f} (last {found['own_seconds_of_last']:.3f})"
    cells = [
        name,
        *shown,
        f"{reached} of {found['seeds']}",
        f"{statistics.median(found['shares']):.3f}",
        f"{found['area']:.3f}",
        f"{found['trainings']:g}",
        own,
    ]
    return f"| {' | '.join(cells)} |"


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--table", type=Path, help="FILE.csv with FILE.json beside it; without one, the model")
    options.add_argument("--seeds", type=int, default=20, help="searches per sampler")
    options.add_argument("--first-seed", type=int, default=0, help="of the seeds, which count upwards")
    options.add_argument("--trials", type=int, default=300, help="of a search at most")
    options.add_argument("--samplers", nargs="+", default=list(PEERS), metavar="NAME", help="which; --list shows them")
    options.add_argument("--predictor-error", type=float, default=0.03, help="relative, of memory, speed and seconds")
    options.add_argument("--json", type=Path, metavar="OUT", help="file that takes all numbers")
    options.add_argument("--list", action="store_true", help="show the samplers")
    return options.parse_args()


if __name__ == "__main__":
    main()
