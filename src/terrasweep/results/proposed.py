"""What a search expected when it proposed a trial, read from what its result keeps as ``proposed`` (docs/search.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def expected(proposed: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Objective to its expectation, and to one standard deviation below and above it; empty without a model's."""
    found: Mapping[str, Any] = proposed.get("expected") or {}
    return {name: (float(value), float(low), float(high)) for name, (value, low, high) in found.items()}


def share_left(proposed: Mapping[str, Any]) -> float | None:
    """The most that any candidate promised beyond the errors, over the hypervolume that was had.

    None where no model was asked, or nothing was had yet.
    """
    return _of_hypervolume(proposed, "left")


def share_of_next_hour(proposed: Mapping[str, Any]) -> float | None:
    """What an hour of trials was expected to gain, over the hypervolume that was had; None as for the share left."""
    return _of_hypervolume(proposed, "next_hour")


def _of_hypervolume(proposed: Mapping[str, Any], name: str) -> float | None:
    gain, had = proposed.get(name), proposed.get("hypervolume")
    return None if gain is None or not had else float(gain) / float(had)
