"""What the study was made on: splits, bands and classes, and what the checks before it warned of."""

from __future__ import annotations

from typing import Any

from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.wording import counted, listed, percent, rounded

SHOWN = 40
"""Classes in the table."""
_BANDS = 16
"""Bands that are named."""


def data_section(data: dict[str, Any]) -> dict[str, Any]:
    """The section as plain strings and lists; empty for a study that did not look at its data.

    Args:
        data: As :func:`terrasweep.data.inspect.checks.describe` gives it.
    """
    if not data:
        return {}
    summary = data["summary"]
    classes, splits = summary["classes"], [split["name"] for split in summary["splits"]]
    if len(classes) > SHOWN:
        classes = sorted(classes, key=lambda entry: -(entry["shares"].get("train") or 0.0))
    columns = ["split", "samples", *(["read for the checks"] if _in_part(summary) else [])]
    return {
        "heading": f"{summary['place']}, task={summary['task']}",
        "warnings": data["warnings"],
        "notes": data.get("notes", []),
        "split_columns": [*columns, *_label_columns(summary)],
        "splits": [_split(summary, split) for split in summary["splits"]],
        "images": [_images(images) for images in summary["images"]],
        "class_splits": splits,
        "classes": [_class(entry, splits) for entry in classes[:SHOWN]],
        "more_classes": max(0, len(classes) - SHOWN),
    }


def _in_part(summary: dict[str, Any]) -> bool:
    return any(split["read"] < split["samples"] for split in summary["splits"])


def _label_columns(summary: dict[str, Any]) -> list[str]:
    return {
        "segmentation": ["pixels with a label", "ignored"],
        "regression": ["targets from", "to", "mean", "std"],
    }.get(summary["task"], [])


def _split(summary: dict[str, Any], split: dict[str, Any]) -> list[str]:
    cells = [split["name"], f"{split['samples']:,}"]
    if _in_part(summary):
        cells.append(f"{split['read']:,}")
    if summary["task"] == "segmentation":
        cells += [f"{split['labels']:,}", percent(split["ignored"])]
    if summary["task"] == "regression":
        seen = summary["targets"][split["name"]]
        values = [seen[field] for field in ("minimum", "maximum", "mean", "std")]
        cells += ["" if value is None else rounded(value) for value in values]
    return cells


def _images(images: dict[str, Any]) -> tuple[str, str]:
    """``images``, or the modality, and its bands, size and number type."""
    names = [band["name"] for band in images["bands"]]
    dates = images.get("dates", 1)  # Studies from before there were dates have none.
    parts = [
        f"{f'{dates} dates of ' if dates > 1 else ''}{counted(len(names), 'band')} ({listed(names, _BANDS)})",
        f"{listed(images['sizes'])} pixels",
        listed(images["dtypes"]),
    ]
    return "images" if images["modality"] == IMAGE else images["modality"], ", ".join(parts)


def _class(entry: dict[str, Any], splits: list[str]) -> tuple[str, list[tuple[str, float]]]:
    """The class's name, and per split its share as text and as the width of a bar in percent."""
    shares = [entry["shares"].get(split) for split in splits]
    cells = [("", 0.0) if share is None else (percent(share), round(100 * share, 1)) for share in shares]
    return f"{entry['label']} {entry['name']}".rstrip(), cells
