"""A heat map of predicted peaks: what fits which card, in one file that opens anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrasweep.machine.files import write_atomically
from terrasweep.report.packaged import render_page
from terrasweep.results.memory_plan import BATCH, MemoryPlan, PlannedConfiguration
from terrasweep.results.wording import ABSENT, counted, narrow, narrow_bytes, whole_percent

_MIB = 2**20
_MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class Square:
    """One configuration's place in the map."""

    text: str
    """GiB."""
    title: str
    kind: str
    """``fits``, ``over`` or ``unknown``."""
    depth: int
    """Of the colour, in percent: how near to the limit, or how far above it."""


@dataclass(frozen=True, kw_only=True)
class Map:
    """The configurations against one limit."""

    heading: str
    summary: str
    rows: list[tuple[list[str], list[Square | None], str]]
    """Values of the searched keys, a square per batch, and the largest batch."""


def write_memory_page(file: Path, plan: MemoryPlan) -> None:
    """Write the page.

    Args:
        file: Where to.
        plan: What is drawn; with no limit, all peaks are drawn against the largest of them.
    """
    batches = sorted({row.batch_size for row in plan.rows}) if BATCH in plan.keys else []
    page = render_page(
        "memory.html",
        "memory.css",
        name=plan.name,
        count=counted(len(plan.rows), "configuration"),
        keys=[key for key in plan.keys if key != BATCH],
        batch_key=BATCH,
        batches=batches,
        maps=[_map(plan, limit, batches) for limit in plan.limits] or [_map(plan, None, batches)],
        notes=plan.notes,
    )
    write_atomically(file, page)


def _map(plan: MemoryPlan, limit: str | None, batches: list[int]) -> Map:
    peaks = [row.peak.expected for row in plan.rows if row.peak is not None]
    room = max(peaks, default=1.0) if limit is None else plan.limits[limit] * _MIB_PER_GIB
    rows = []
    for group, members in plan.groups.items():
        values, known = dict(group), {row.batch_size: row for row in members}
        shown = [known.get(batch) for batch in batches] or [members[0]]
        largest = None if limit is None else plan.largest_batch(members[0], limit)
        rows.append(
            (
                [_text(values.get(key)) for key in plan.keys if key != BATCH],
                [None if row is None else _square(row, room) for row in shown],
                ABSENT if largest is None else f"{largest:,}",
            )
        )
    if limit is None:
        return Map(
            heading="Predicted peaks", summary="No limit is given: colours are shares of the largest.", rows=rows
        )
    fitting = sum(peak <= room for peak in peaks)
    heading = limit if limit.endswith("GiB") else f"{limit}, {narrow(plan.limits[limit])} GiB"
    return Map(heading=heading, summary=f"{fitting:,} of {counted(len(peaks), 'configuration')} fit.", rows=rows)


def _square(row: PlannedConfiguration, room: float) -> Square:
    if row.peak is None:
        return Square(text=ABSENT, title=row.note, kind="unknown", depth=0)
    share = row.peak.expected / room
    depth = round(10 + 60 * share) if share <= 1 else round(min(90, 30 + 30 * (share - 1)))
    low, high = (narrow_bytes(end * _MIB) for end in (row.peak.low, row.peak.high))
    expected = f"{narrow_bytes(row.peak.expected * _MIB)} expected, {low} to {high}"
    title = f"{expected}; {whole_percent(share)} of the limit. {row.note}"
    kind = "fits" if share <= 1 else "over"
    return Square(text=narrow(row.peak.expected / _MIB_PER_GIB), title=title.strip(), kind=kind, depth=depth)


def _text(value: Any) -> str:
    return ABSENT if value is None else str(value)
