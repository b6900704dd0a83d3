"""Which classes a trial took for which: the counts behind its accuracy, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

MULTILABEL = "multilabel"
"""The task whose labels are independent of each other: a sample has none of them, one or several."""
OUTCOMES = ("true positives", "false positives", "false negatives", "true negatives")
"""Columns of the counts of independent labels."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What was right and wrong of one class. A quotient without anything below its line is None, never 0."""

    true_positives: int
    false_positives: int
    """Predicted as this class, and labelled otherwise."""
    false_negatives: int
    """Labelled as this class, and predicted otherwise."""

    @property
    def labels(self) -> int:
        """How many have this class as their label."""
        return self.true_positives + self.false_negatives

    @property
    def wrong(self) -> int:
        """Errors that the class is part of."""
        return self.false_positives + self.false_negatives

    @property
    def occurs(self) -> bool:
        """Whether the class was labelled or predicted at all."""
        return self.true_positives + self.wrong > 0

    @property
    def recall(self) -> float | None:
        """Share of the labels that were found, in [0, 1]."""
        return _quotient(self.true_positives, self.labels)

    @property
    def precision(self) -> float | None:
        """Share of the predictions that are right, in [0, 1]."""
        return _quotient(self.true_positives, self.true_positives + self.false_positives)

    @property
    def iou(self) -> float | None:
        """Intersection over union of labels and predictions, in [0, 1]."""
        return _quotient(self.true_positives, self.true_positives + self.wrong)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of recall and precision, in [0, 1]."""
        return _quotient(2 * self.true_positives, 2 * self.true_positives + self.wrong)


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """How often one class was taken for another one."""

    label: int
    """Position of the class that it is."""
    prediction: int
    """Position of the class that it was taken for."""
    count: int
    share: float
    """Of all that have the label, in (0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts over the whole validation split; labels that are ignored don't count."""

    task: str
    """``segmentation`` counts pixels; ``classification`` and ``multilabel`` count samples."""
    classes: list[str]
    """Their names as the trial saw them."""
    counts: list[list[int]]
    """A row per class. Its columns are the classes that were predicted where the row's is the label; for
    ``multilabel`` they are :data:`OUTCOMES`."""

    @property
    def unit(self) -> str:
        """What is counted: ``pixel`` or ``sample``."""
        return "pixel" if self.task == "segmentation" else "sample"

    @property
    def is_square(self) -> bool:
        """Whether classes exclude each other, so that one can be taken for another one."""
        return self.task != MULTILABEL

    @property
    def total(self) -> int:
        """The sum of all counts."""
        return sum(map(sum, self.counts))

    @property
    def right(self) -> int:
        """How many of these are as their labels say."""
        if self.is_square:
            return sum(row[place] for place, row in enumerate(self.counts))
        return sum(row[0] + row[3] for row in self.counts)

    def tallies(self) -> list[Tally]:
        """What was right and wrong, per class."""
        if not self.is_square:
            return [Tally(true_positives=r[0], false_positives=r[1], false_negatives=r[2]) for r in self.counts]
        predicted = [sum(column) for column in zip(*self.counts, strict=True)]
        return [
            Tally(
                true_positives=row[place],
                false_positives=predicted[place] - row[place],
                false_negatives=sum(row) - row[place],
            )
            for place, row in enumerate(self.counts)
        ]

    def mistakes(self) -> list[Mistake]:
        """The pairs of classes that were confused, the most frequent first; none where labels are independent."""
        if not self.is_square:
            return []
        found = [
            Mistake(label=label, prediction=prediction, count=count, share=count / sum(row))
            for label, row in enumerate(self.counts)
            for prediction, count in enumerate(row)
            if count and label != prediction
        ]
        return sorted(found, key=lambda mistake: -mistake.count)


def _quotient(part: int, whole: int) -> float | None:
    return part / whole if whole else None
