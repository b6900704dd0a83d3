"""Keys that had another name in an earlier version. Imports no torch."""

from __future__ import annotations

from typing import Any

RENAMED = {"train.warmup_steps": "train.untimed_steps"}
"""What it was called to what it is called."""


def describe_renamed(text: str) -> str | None:
    """One line with the present name, where an error is about a key of an earlier version.

    Args:
        text: The key, or what Hydra says of it: ``Key 'warmup_steps' not in 'TrainConfig'``.
    """
    for before, now in RENAMED.items():
        if text == before or f"'{before}'" in text or f"'{before.rpartition('.')[2]}'" in text:
            return f"{before}: its name is {now} now; use that"
    return None


def with_present_names(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored configuration of any version, with the keys of this one."""
    sections = {name: dict(section) if isinstance(section, dict) else section for name, section in stored.items()}
    for before, now in RENAMED.items():
        (group, old), (_, _, new) = before.split("."), now.rpartition(".")
        section = sections.get(group)
        if isinstance(section, dict) and old in section:
            value = section.pop(old)
            section.setdefault(new, value)
    return sections
