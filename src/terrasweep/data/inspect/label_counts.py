"""What is counted of labels, sample by sample: pixels or samples per class, or running sums of regression targets."""

from __future__ import annotations

from collections import Counter

import numpy as np

from terrasweep.data.find.sample_list import PIXEL_TASKS
from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.image_counts import deviation
from terrasweep.data.inspect.survey import LabelSurvey


class LabelCounts:
    """Counts per class, or running sums of regression targets."""

    def __init__(self, task: str, ignore: int | None) -> None:
        """Args: ``task`` decides what the labels are, ``ignore`` is the one that does not count."""
        self._task, self._ignore = task, ignore
        self._counts: Counter[int] = Counter()
        self._first: dict[int, str] = {}
        self._shapes: Counter[str] = Counter()
        self._not_finite = self._not_whole = self._counted = 0
        self._total = self._squares = 0.0
        self._low, self._high = np.inf, -np.inf
        self._extremes = ExtremesCount()
        self._no_data: set[float] = set()

    def mark(self, no_data: float | None) -> None:
        """Note the value that a mask's header marks as no data."""
        if no_data is not None and np.isfinite(no_data):
            self._no_data.add(float(no_data))

    def add(self, name: str, label: np.ndarray) -> None:
        """Count a sample's labels."""
        self._shapes["x".join(map(str, label.shape))] += 1
        values = label.reshape(-1).astype(np.float64)
        finite = np.isfinite(values)
        if self._task in PIXEL_TASKS and self._ignore is not None:
            # A trial gives pixels that the file marks as no data the label that does not count.
            values = np.where(np.isnan(values), self._ignore, values)
            finite = np.isfinite(values)
        self._not_finite += int((~finite).sum())
        values = values[finite]
        if self._task == "regression":
            self._add_targets(name, values if self._ignore is None else values[values != self._ignore])
            return
        if self._task == "multilabel":
            found = dict.fromkeys(np.flatnonzero((values != 0) & (values != self._ignore)), 1)
            self._counted += 1
        else:
            whole = values == np.round(values)
            self._not_whole += int((~whole).sum())
            labels, pixels = np.unique(values[whole], return_counts=True)
            found = dict(zip(labels.tolist(), pixels.tolist(), strict=True))
            self._counted += sum(count for value, count in found.items() if value != self._ignore)
        for value, count in found.items():
            self._counts[int(value)] += int(count)
            self._first.setdefault(int(value), name)

    def _add_targets(self, name: str, values: np.ndarray) -> None:
        self._counted += len(values)
        self._extremes.add(name, values)
        if len(values):
            self._total += float(values.sum())
            with np.errstate(over="ignore"):
                self._squares += float((values**2).sum())
            self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))

    def merge(self, later: LabelCounts) -> None:
        """Add what was counted in samples that come after these."""
        self._counts += later._counts
        for label, name in later._first.items():
            self._first.setdefault(label, name)
        self._shapes += later._shapes
        self._not_finite += later._not_finite
        self._not_whole += later._not_whole
        self._counted += later._counted
        self._total += later._total
        self._squares += later._squares
        self._low, self._high = min(self._low, later._low), max(self._high, later._high)
        self._extremes.merge(later._extremes)
        self._no_data |= later._no_data

    def survey(self) -> LabelSurvey:
        """The counts as a record."""
        targets = self._task == "regression" and self._counted > 0
        mean = self._total / max(self._counted, 1)
        return LabelSurvey(
            counts=dict(sorted(self._counts.items())),
            first_with=self._first,
            shapes=dict(self._shapes),
            minimum=self._low if targets else None,
            maximum=self._high if targets else None,
            mean=mean if targets else None,
            std=float(deviation(np.array(mean), np.array(self._squares / self._counted))) if targets else None,
            counted=self._counted,
            not_finite=self._not_finite,
            not_whole=self._not_whole,
            extremes=self._extremes.extremes(),
            no_data=sorted(self._no_data),
        )
