"""What of a data set earlier versions listed otherwise, so that their listings are told from those of now.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.class_folders import class_folders
from terrasweep.data.find.label_table import classes_of_old, read_table
from terrasweep.data.find.listing import PIXEL_TASKS
from terrasweep.data.find.numbering import counted_up, numbered
from terrasweep.data.find.root_folders import list_folder, samples_root
from terrasweep.data.find.split_folders import find_splits
from terrasweep.results.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Otherwise:
    """Why a listing is not that of an earlier version."""

    mark: str
    """Part of the state of the data."""
    may_stay: bool
    """Whether a listing that an earlier version made is as good: classes have other numbers, but the right names."""


def read_otherwise(config: TrialConfig) -> Otherwise | None:
    """What an earlier version would have listed otherwise; None where nothing is.

    Earlier versions sorted classes by their text, ``10`` before ``2``, and made a class of an empty line of a table.
    """
    data, task = config.data, config.task.name
    if data.datamodule is not None or data.name == "synthetic" or task in PIXEL_TASKS or not data.root:
        return None
    root = samples_root(config)
    if data.label_settings.table is not None:
        table = list_folder(root) / data.label_settings.table
        return _table_otherwise(table, _time_of(table), task, tuple(data.class_names or ()))
    if task != "classification" or not root.is_dir():
        return None
    try:
        bases = list(find_splits(root).values()) if data.split.by == "folders" else [root]
    except DataError:
        return None
    return _order_otherwise(class_folders(data, bases), tuple(data.class_names or ()))


def _time_of(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except (OSError, ValueError):
        return None


@cache
def _table_otherwise(table: Path, _time: int | None, task: str, given: tuple[str, ...]) -> Otherwise | None:
    earlier = classes_of_old(table, task)
    if not earlier:
        return None
    try:
        now = read_table(table, task, given=given).classes
    except DataError:
        now = []
    if sorted(earlier) != sorted(now):
        return Otherwise(mark="table", may_stay=False)
    return None if task == "multilabel" else _order_otherwise(now, given)


def _order_otherwise(classes: Iterable[str], given: tuple[str, ...]) -> Otherwise | None:
    names = sorted(classes)
    if counted_up(names) == names:
        return None
    order = numbered(names, given)
    asked_for = list(given) == counted_up(names)
    return Otherwise(mark="as text" if order == names else "as they count", may_stay=not asked_for)
