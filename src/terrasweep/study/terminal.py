"""What a terminal shows while a sweep runs: a live view, or plain lines where there is no terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from terrasweep.measure.catalog import measurement_or_metric
from terrasweep.results.comparison import Comparison
from terrasweep.results.estimates import Estimate
from terrasweep.results.proposed import expected, share_of_next_hour
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import duration, percent, rounded, with_decimals, with_error, with_unit

_S_PER_HOUR = 3600.0


def plain_console() -> Console:
    """A console that takes brackets and colons in what users name as they are."""
    return Console(highlight=False, markup=False, emoji=False)


class SweepProgress:
    """Shows trials done of total, the time left, states, the size of the front and the best of each objective."""

    def __init__(
        self,
        name: str,
        total: int,
        objectives: list[Objective],
        console: Console | None = None,
        *,
        hours: float | None = None,
    ) -> None:
        """Args: ``hours``: how long the study may search, over all starts; None: until it has its trials."""
        self._console = console or plain_console()
        self._hours, self._searched_s = hours, 0.0
        self._name, self._total, self._objectives = name, total, objectives
        self._results: list[TrialResult] = []
        self._durations: list[float] = []
        self._front_size = 0
        self._running: dict[str, Any] = {}
        self._proposed: Mapping[str, Any] = {}
        self._bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[hours]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(name, total=total, hours=self._of_hours(), left="")
        self._live = Live(get_renderable=self._view, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> SweepProgress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Print a line that stays, above the live view."""
        self._console.print(Text(line), soft_wrap=True)

    def show(self, table: Table) -> None:
        """Print a table that stays."""
        self._console.print(table)

    def expect(self, total: int) -> None:
        """Another total than was known at first."""
        self._total = total
        self._bar.update(self._task, total=total)

    def searched(self, seconds: float) -> None:
        """How long the study has searched until now, over all starts."""
        self._searched_s = seconds
        self._bar.update(self._task, hours=self._of_hours())

    def started(self, values: dict[str, Any], proposed: Mapping[str, Any] | None = None) -> None:
        """A trial with these searched values runs now; ``proposed``: why, as its result will keep it."""
        self._running, self._proposed = values, proposed or {}

    def finished(self, results: list[TrialResult], front_size: int, last: TrialResult | None = None) -> None:
        """Show the state after a trial; ``results`` are all of the study so far."""
        self._results, self._front_size, self._running = results, front_size, {}
        if last is not None:
            self._durations.append(last.value("wall_seconds") or 0.0)
        done = sum(r.reason != "interrupted" for r in results)
        self._bar.update(self._task, completed=done, left=self._time_left(done))
        if self._live.is_started:
            self._live.refresh()
        if last is not None:
            self.say(self._line(last, done))
            if last.state is State.COMPLETE and last.message:
                self.say(f"warning: trial {last.number}: {last.message.splitlines()[0]}")

    def _time_left(self, done: int) -> str:
        if not self._durations or done >= self._total:
            return ""
        mean = sum(self._durations) / len(self._durations)
        seconds = mean * (self._total - done)
        if self._hours is not None:  # Whichever is used up first.
            seconds = min(seconds, max(0.0, self._hours * _S_PER_HOUR - self._searched_s))
        return f"about {duration(seconds)} left"

    def _of_hours(self) -> str:
        """``1.25 of 8 h``; empty where time is no limit."""
        if self._hours is None:
            return ""
        return f"{with_decimals(self._searched_s / _S_PER_HOUR, 2)} of {rounded(self._hours)} h"

    def _line(self, result: TrialResult, done: int) -> str:
        counted = ", ".join(filter(None, (f"{done}/{self._total}", self._of_hours())))
        return training_line(f"[{counted}]", f"trial {result.number}", result, self._objectives)

    def _view(self) -> Group:
        table = Table.grid(padding=(0, 2))
        states = Counter(str(r.state) for r in self._results)
        table.add_row("states", "  ".join(f"{state} {count}" for state, count in sorted(states.items())) or "none yet")
        table.add_row("front", f"{self._front_size} trials")
        for objective in self._objectives:
            table.add_row(Text(f"best {objective.name}"), self._best(objective))
        if (share := share_of_next_hour(self._proposed)) is not None:
            table.add_row("promise", Text(_next_hour(share)))
        now = " ".join(f"{key}={value}" for key, value in self._running.items())
        table.add_row("running", Text(now or "-"))
        return Group(self._bar, table)

    def _best(self, objective: Objective) -> str:
        complete = [r for r in self._results if r.state is State.COMPLETE]
        scored = [(value, r.number) for r in complete if (value := r.value(objective.name)) is not None]
        if not scored:
            return "-"
        value, number = max(scored) if objective.maximize else min(scored)
        return f"{with_unit(value, measurement_or_metric(objective.name).unit_symbol)} (trial {number})"


def training_line(counted: str, name: str, result: TrialResult, objectives: list[Objective]) -> str:
    """How a training ended: its state, what it measured or why it did not, and what it was set to."""
    outcome = str(result.state) if result.reason is None else f"{result.state}: {result.reason}"
    # A probe has no accuracy.
    values = [f"{o.name}={_value_text(o, result)}" for o in objectives if result.value(o.name) is not None]
    measured = "  ".join([*values, *_sources(result)])
    if result.state is not State.COMPLETE:
        measured = result.message.splitlines()[0]
    searched = " ".join(f"{key}={value}" for key, value in result.searched.items())
    return f"{counted} {name}  {outcome}  {measured}  ({searched}){_expected(result)}"


def _expected(result: TrialResult) -> str:
    """What the search expected of a trial, where it says so."""
    shown = []
    for name, (value, low, high) in expected(result.proposed).items():
        unit = measurement_or_metric(name).unit_symbol
        shown.append(f"{name}={with_error(value, low, high, unit)}")
    hour = share_of_next_hour(result.proposed)
    parts = [f"expected {' '.join(shown)}"] * bool(shown) + ([] if hour is None else [_next_hour(hour)])
    return "".join(f"  {part}" for part in parts)


def _next_hour(share: float) -> str:
    """What an hour of trials promises, by the candidates there are."""
    return f"next hour promises {percent(share)} more hypervolume"


def front_table(comparison: Comparison, keys: list[str]) -> Table:
    """The front as a short table, with the errors that are known."""
    table = Table(title="Pareto front", title_justify="left", pad_edge=False, box=SIMPLE_HEAD)
    table.add_column("trial", justify="right")
    for objective in comparison.objectives:
        table.add_column(Text(measurement_or_metric(objective.name).label), justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold")
    for place in comparison.front_places:
        result, estimates = comparison.results[place], comparison.estimates[place]
        values = [_estimate_text(o, estimates[o.name]) for o in comparison.objectives]
        settings = " ".join(f"{key}={result.searched[key]}" for key in keys if key in result.searched)
        table.add_row(str(result.number), *values, Text(settings))
    return table


def _sources(result: TrialResult) -> list[str]:
    """Whose numbers they are, where they are not the trial's own."""
    accuracy, cost = result.accuracy_from, result.cost_from
    if accuracy and accuracy == cost:
        return [f"as trial {accuracy}"]
    named = {"accuracy": accuracy, "memory and speed": cost}
    return [f"{what} of trial {source}" for what, source in named.items() if source]


def _estimate_text(objective: Objective, found: Estimate) -> str:
    return with_error(found.value, found.low, found.high, measurement_or_metric(objective.name).unit_symbol)


def _value_text(objective: Objective, result: TrialResult) -> str:
    return with_unit(result.value(objective.name), measurement_or_metric(objective.name).unit_symbol)
