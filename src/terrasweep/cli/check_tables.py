"""``terrasweep check`` as a person reads it, on 80 columns."""

from __future__ import annotations

import textwrap
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.wording import counted, percent, rounded
from terrasweep.study.terminal import plain_console

_WIDTH = 80
_LINES = 30
"""How many classes or bands a table shows; --json has all."""
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show(checked: dict[str, Any], console: Console | None = None) -> None:
    """Print splits, bands and classes, and what was found, errors first.

    Args:
        checked: ``summary`` of :func:`terrasweep.data.inspect.checks.summary.summarize`, and the ``findings`` as dicts.
        console: Where to; default: the standard output.
    """
    console = console or plain_console()
    if not console.is_terminal:
        console.width = _WIDTH
    summary = checked["summary"]
    console.print(Text(f"{summary['place']}, task={summary['task']}"), soft_wrap=True)
    console.print(_splits(summary))
    for images in summary["images"]:
        console.print(Text(_heading(images)), soft_wrap=True)
        if images["bands"]:
            console.print(_bands(images))
    if summary["classes"]:
        console.print(_classes(summary))
    if summary["targets"]:
        console.print(_targets(summary["targets"]))
    _findings(checked["findings"], console)


def _splits(summary: dict[str, Any]) -> Table:
    segmentation = summary["task"] == "segmentation"
    table = _table("split")
    for name in ("samples", "read", *(["pixels with a label", "ignored"] if segmentation else [])):
        table.add_column(name, justify="right")
    for split in summary["splits"]:
        labels = [f"{split['labels']:,}", percent(split["ignored"])] if segmentation else []
        table.add_row(split["name"], f"{split['samples']:,}", f"{split['read']:,}", *labels)
    return table


def _heading(images: dict[str, Any]) -> str:
    subject = "images" if images["modality"] == IMAGE else images["modality"]
    sizes = ", ".join(images["sizes"]) or "of unknown size"
    dates = f"{images['dates']} dates of " if images["dates"] > 1 else ""
    return f"{subject}: {dates}{counted(len(images['bands']), 'band')}, {sizes} pixels, {', '.join(images['dtypes'])}"


def _bands(images: dict[str, Any]) -> Table:
    """Per band mean ± standard deviation: those that are given, and those of the splits that a trial reads."""
    bands = images["bands"]
    splits = [split for split in ("train", "val") if any(split in band["seen"] for band in bands)]
    given = any(band["given"] for band in bands)
    missing = any(share > 0 for band in bands for share in band["not_finite"].values())
    table = _table("band")
    for name in (*(["given"] if given else []), *splits):
        table.add_column(f"{name}\nmean ± std", justify="right")
    if missing:
        table.add_column("no data", justify="right")
    for band in bands[:_LINES]:
        pairs = [*([band["given"]] if given else []), *(band["seen"].get(split) for split in splits)]
        most = [percent(max(band["not_finite"].values(), default=0.0))] if missing else []
        table.add_row(Text(band["name"]), *map(_pair, pairs), *most)
    _cut_off(table, len(bands))
    return table


def _pair(statistics: list[float] | None) -> str:
    return "" if statistics is None else " ± ".join(map(rounded, statistics))


def _classes(summary: dict[str, Any]) -> Table:
    splits = [split["name"] for split in summary["splits"]]
    table = _table("class")
    for split in splits:
        table.add_column(split, justify="right")
    for entry in summary["classes"][:_LINES]:
        shares = [entry["shares"].get(split) for split in splits]
        name = Text(f"{entry['label']} {entry['name']}".rstrip())
        table.add_row(name, *("" if share is None else percent(share) for share in shares))
    _cut_off(table, len(summary["classes"]))
    return table


def _targets(targets: dict[str, Any]) -> Table:
    table = _table("targets")
    fields = ("minimum", "maximum", "mean", "std")
    for field in fields:
        table.add_column(field, justify="right")
    for split, seen in targets.items():
        table.add_row(split, *("" if seen[field] is None else rounded(seen[field]) for field in fields))
    return table


def _findings(findings: list[dict[str, str]], console: Console) -> None:
    width = min(console.width, 120)
    for finding in findings:
        level = finding["level"]
        text = textwrap.fill(
            f"{level}: {finding['line']}", width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        shown = Text(text)
        shown.stylize(_STYLES[level], 0, len(level) + 1)
        console.print(shown, soft_wrap=True)
    levels = [finding["level"] for finding in findings]
    counts = [counted(levels.count(level), level) for level in ("error", "warning") if level in levels]
    if "error" in levels:
        verdict = f"{' and '.join(counts)}: a sweep on this data would not start; docs/checks.md explains each check"
    elif counts:
        verdict = f"{' and '.join(counts)}: a sweep would start, and its report would show them (docs/checks.md)"
    else:
        verdict = "Nothing found that is wrong." if levels else "Nothing found."
    console.print(Text(("\n" if findings else "") + textwrap.fill(verdict, width)), soft_wrap=True)


def _table(first: str) -> Table:
    table = Table(pad_edge=False, padding=(0, 2, 0, 0), box=SIMPLE_HEAD)
    table.add_column(first)
    return table


def _cut_off(table: Table, total: int) -> None:
    if total > _LINES:
        table.add_row(f"and {total - _LINES:,} more", *[""] * (len(table.columns) - 1))
