"""What a search costs until it knows the front: samplers replay recorded tables in simulated seconds.

    python benchmarks/search.py [--table FILE] [--seeds 20] [--samplers factored tpe] [--json OUT [--minutes 8]]
    python benchmarks/search.py --list

Without a table it is a model of a search with 16,128 configurations. Prints the median seconds of training and probing
to 90, 95 and 99 % of the best known hypervolume, the area under the curve, and what a sampler itself takes. Started
again with the same file OUT, it goes on with the searches that the file lacks.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
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
    courses = Courses(compared, options.json)
    wanted = range(options.first_seed, options.first_seed + options.seeds)
    until = time.monotonic() + 60 * options.minutes
    print(_head(table))
    for name in options.samplers:
        if not courses.search(name, wanted, until):
            sys.exit(f"--minutes {options.minutes:g}: over at {name}; the same command goes on with {options.json}")
        print(_line(name, courses.summary(name, wanted)), flush=True)


class Courses:
    """Searches of one comparison, kept in a file where there is one."""

    def __init__(self, compared: Replay, file: Path | None) -> None:
        """Read what the file has.

        Raises:
            SystemExit: It is of another comparison.
        """
        self._compared, self._file = compared, file
        self._about = {
            "table": compared.table.name,
            "configurations": len(compared.table.rows),
            "trials": compared.trials,
            "predictor_error": compared.predictor_error,
        }
        self._found: dict[str, dict[int, Course]] = {}
        if file is not None and file.exists():
            known = json.loads(file.read_text())
            if known["about"] != self._about:
                sys.exit(f"--json {file}: it holds searches of {known['about']}, not {self._about}; use another file")
            for name, courses in known["courses"].items():
                self._found[name] = {int(seed): Course(**course) for seed, course in courses.items()}

    def search(self, name: str, seeds: Sequence[int], until: float) -> bool:
        """Search with each seed that is missing; False where the time is up before all are there."""
        found = self._found.setdefault(name, {})
        for seed in (seed for seed in seeds if seed not in found):
            if time.monotonic() > until:
                return False
            found[seed] = replay(self._compared, PEERS[name], seed)
            self._write()
        return True

    def summary(self, name: str, seeds: Sequence[int]) -> dict[str, Any]:
        """Of the searches with these seeds."""
        return summary([self._found[name][seed] for seed in seeds], horizon(self._compared))

    def _write(self) -> None:
        if self._file is not None:
            courses = {n: {seed: asdict(c) for seed, c in found.items()} for n, found in self._found.items()}
            summaries = {n: self.summary(n, list(found)) for n, found in self._found.items() if found}
            draft = self._file.with_name(f"{self._file.name}.draft")
            draft.write_text(json.dumps({"about": self._about, "samplers": summaries, "courses": courses}) + "\n")
            draft.replace(self._file)


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
    options.add_argument("--json", type=Path, metavar="OUT", help="file that takes all numbers, and is gone on with")
    options.add_argument("--minutes", type=float, default=math.inf, help="after which no other search is begun")
    options.add_argument("--list", action="store_true", help="show the samplers")
    return options.parse_args()


if __name__ == "__main__":
    main()
