"""What fits which card, as a person reads it, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from terrasweep.machine.files import write_atomically
from terrasweep.report.memory_page import write_memory_page
from terrasweep.results.memory_plan import BATCH, PARTS, MemoryPlan, PlannedConfiguration, PlannedPeak
from terrasweep.results.wording import ABSENT, counted, listed, narrow, paragraph, rounded
from terrasweep.study.terminal import plain_console

_MIB_PER_GIB = 1024
_WIDTH = 100
_UNBOUNDED = 10_000
"""Columns, more than any table takes."""
_MOST_ROWS = 400
"""Rows that are printed; --csv has all."""


def write(plan: MemoryPlan | None, table: Path | None, page: Path | None) -> None:
    """Write a plan to the files that are given.

    Raises:
        OSError: One can't be written.
    """
    if plan is not None and table is not None:
        write_atomically(table, as_csv(plan))
    if plan is not None and page is not None:
        write_memory_page(page, plan)


def show_space(plan: MemoryPlan, console: Console | None = None) -> None:
    """Print the peaks of a space, a column per batch, what fits, and how it was found."""
    console = console or plain_console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    heading = f"{plan.name}: the peak of {counted(len(plan.rows), 'configuration')} on one GPU, in GiB"
    console.print(Text(heading), soft_wrap=True)
    console.print(_table(plan, console))
    for line in (*_counts(plan), *plan.notes, *_remarks(plan)):
        console.print(paragraph(line, min(console.width, 120)), soft_wrap=True, markup=False)


def show_cards(plan: MemoryPlan, console: Console | None = None) -> None:
    """Print which limits the first configuration fits, the largest batch there, and the parts that keep its own."""
    console = console or plain_console()
    own = plan.rows[0]
    if not plan.limits:
        return
    table = Table(pad_edge=False, padding=(0, 1, 0, 0), box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in ("GiB", "fits", f"largest\n{BATCH}", f"{PARTS}\nfor {BATCH}={own.batch_size}"):
        table.add_column(name, justify="right", no_wrap=True)
    for limit, gib in plan.limits.items():
        fits = ABSENT if own.peak is None else str(own.peak.fit(gib))
        table.add_row(limit, narrow(gib), fits, _number(plan.largest_batch(own, limit)), _parts(plan, own, limit))
    console.print("What fits by the predicted peak on one GPU")
    console.print(table)
    for line in plan.notes:
        console.print(paragraph(line, min(console.width, 120)), soft_wrap=True, markup=False)


def as_json(plan: MemoryPlan) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "name": plan.name,
        "limits_gib": dict(plan.limits),
        "configurations": [{"values": dict(row.searched)} | _numbers(plan, row) for row in plan.rows],
        "notes": plan.notes,
    }


def as_csv(plan: MemoryPlan) -> str:
    """A row per configuration: searched keys, the peak, and for each limit whether it fits and the largest batch."""
    rows = [{key: row.searched.get(key) for key in plan.keys} | dict(_flat(_numbers(plan, row))) for row in plan.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _numbers(plan: MemoryPlan, row: PlannedConfiguration) -> dict[str, Any]:
    peak = row.peak
    return {
        "predicted_peak_mib": None if peak is None else round(peak.predicted, 1),
        "expected_mib": None if peak is None else round(peak.expected, 1),
        "low_mib": None if peak is None else round(peak.low, 1),
        "high_mib": None if peak is None else round(peak.high, 1),
        "fits": {limit: None if peak is None else str(peak.fit(gib)) for limit, gib in plan.limits.items()},
        "largest_batch": {limit: plan.largest_batch(row, limit) for limit in plan.limits},
        "accumulate": {limit: plan.parts_that_fit(row, limit) for limit in plan.limits},
        "note": row.note,
    }


def _flat(numbers: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in numbers.items():
        if isinstance(value, dict):
            yield from ((f"{key} {limit}", of_limit) for limit, of_limit in value.items())
        else:
            yield key, value


def _table(plan: MemoryPlan, console: Console) -> Table:
    """A row per group of configurations that differ in the batch alone, as wide as the console at most.

    Where the keys' columns don't fit beside the peaks, their values share one.
    """
    own_columns = _filled(plan, [[key] for key in plan.keys if key != BATCH])
    if _natural_width(own_columns, console) <= console.width:
        return own_columns
    return _filled(plan, [[key for key in plan.keys if key != BATCH]])


def _natural_width(table: Table, console: Console) -> int:
    """Columns of a table that breaks no cell."""
    return Measurement.get(console, console.options.update(width=_UNBOUNDED), table).maximum


def _filled(plan: MemoryPlan, columns: list[list[str]]) -> Table:
    """The table with a column for each of so many lists of keys; what a peak takes is never broken over two lines."""
    batches = sorted({row.batch_size for row in plan.rows}) if BATCH in plan.keys else []
    table = Table(pad_edge=False, padding=(0, 1, 0, 0), box=SIMPLE_HEAD)
    for keys in filter(None, columns):
        table.add_column(", ".join(keys))
    for heading in _headings(batches):
        table.add_column(heading, justify="right", no_wrap=True)
    largest = list(plan.limits) if batches else []
    for limit in largest:
        table.add_column(f"largest,\n{limit}", justify="right", no_wrap=True)
    for group, rows in list(plan.groups.items())[:_MOST_ROWS]:
        values, known = dict(group), {row.batch_size: row for row in rows}
        cells = [_cell(plan, known.get(batch)) for batch in batches] or [_cell(plan, rows[0])]
        more = [_number(plan.largest_batch(rows[0], limit)) for limit in largest]
        settings = [", ".join(_text(values.get(key)) for key in keys) for keys in filter(None, columns)]
        table.add_row(*settings, *cells, *more)
    return table


def _headings(batches: list[int]) -> list[str]:
    """Of the peaks: the batch, its key above the first one."""
    if not batches:
        return ["peak"]
    first, *others = batches
    section, _, name = BATCH.partition(".")
    return [f"{section}.\n{name}={first}", *(str(batch) for batch in others)]


def _cell(plan: MemoryPlan, row: PlannedConfiguration | None) -> Text:
    if row is None:
        return Text("")
    if row.peak is None:
        return Text(ABSENT)
    verdict, style = _verdict(plan, row.peak)
    return Text(f"{narrow(row.peak.expected / _MIB_PER_GIB)} {verdict}".rstrip(), style=style)


def _verdict(plan: MemoryPlan, peak: PlannedPeak) -> tuple[str, str]:
    """Of one limit the verdict, of several the smallest that fits."""
    if len(plan.limits) == 1:
        (gib,) = plan.limits.values()
        fit = peak.fit(gib)
        return str(fit), "green" if fit.fits else "red"
    fitting = [limit for limit, gib in sorted(plan.limits.items(), key=lambda item: item[1]) if peak.fit(gib).fits]
    return (fitting[0] if fitting else "none" if plan.limits else ""), ""


def _counts(plan: MemoryPlan) -> Iterator[str]:
    peaks = [row.peak for row in plan.rows if row.peak is not None]
    for limit, gib in plan.limits.items():
        verdicts = [peak.fit(gib) for peak in peaks]
        fitting = sum(verdict.fits for verdict in verdicts)
        doubtful = sum(str(verdict).endswith("?") for verdict in verdicts)
        name = limit if limit.endswith("GiB") else f"{limit} ({rounded(gib)} GiB)"
        yield (
            f"{name}: {fitting:,} of {len(peaks):,} fit, {len(peaks) - fitting:,} do not; of {doubtful:,} the interval "
            "reaches over the limit."
        )


def _remarks(plan: MemoryPlan) -> Iterator[str]:
    yield from dict.fromkeys(row.note for row in plan.rows if row.note and row.peak is not None)
    if (more := len(plan.groups) - _MOST_ROWS) > 0:
        yield f"{counted(more, 'row')} more: --csv FILE has all."
    if BATCH in plan.keys and plan.limits:
        yield f"The largest {BATCH} follows from lines through the predicted ones."


def _parts(plan: MemoryPlan, row: PlannedConfiguration, limit: str) -> str:
    return _number(plan.parts_that_fit(row, limit))


def _number(number: int | None) -> str:
    return ABSENT if number is None else f"{number:,}"


def _text(value: Any) -> str:
    return ABSENT if value is None else listed(value, 4) if isinstance(value, list) else str(value)
