"""Which classes the recommended trials took for which: in words, as a table per class, and as a heat map."""

from __future__ import annotations

from dataclasses import dataclass

from terrasweep.report.heat_map import HeatMap, heat_map
from terrasweep.report.labels import trial_name
from terrasweep.report.recommendations import by_configuration
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.confusion import Confusion, Mistake, Tally
from terrasweep.results.wording import ABSENT, counted, listed, percent

CLASSES = 25
"""Rows of a table; of more classes the worst ones are in it."""
MISTAKES = 6
"""Confused pairs that are said in words beside a heat map."""
MISTAKES_ALONE = 20
"""The same where there are too many classes for a heat map."""


@dataclass(frozen=True, kw_only=True)
class ConfusionCard:
    """What one trial confused, ready to be laid out."""

    title: str
    """The roles that the trial is recommended for."""
    trial: str
    summary: str
    columns: list[str]
    """Of the table, the class's name first and the share that orders it last."""
    rows: list[tuple[list[str], float]]
    """Per class its cells, and the last one's share in percent."""
    more: int
    """Classes that are left out of the table, all better than those in it."""
    absent: str
    """Names of the classes that were neither labelled nor predicted."""
    mistakes: list[str]
    """What was confused most, the most frequent first."""
    map: HeatMap | None
    """None for independent labels, and for too many classes."""


def confusion_cards(outcome: StudyOutcome) -> list[ConfusionCard]:
    """A card per recommended trial whose result has its confusion; none for a study of before it was kept."""
    return [
        _card(recommended.title, trial_name(recommended.result), recommended.result.confusion)
        for recommended in by_configuration(outcome)
        if recommended.result.confusion is not None
    ]


def _card(title: str, trial: str, confusion: Confusion) -> ConfusionCard:
    tallies = confusion.tallies()
    occurring = [place for place, tally in enumerate(tallies) if tally.occurs]
    drawn = heat_map(confusion, occurring) if confusion.is_square else None
    mistakes = _mistakes(confusion) if confusion.is_square else _missed_and_given(confusion, tallies)
    columns, rows = _table(confusion, tallies, occurring)
    return ConfusionCard(
        title=title,
        trial=trial,
        summary=_summary(confusion),
        columns=columns,
        rows=rows,
        more=len(occurring) - len(rows),
        absent=listed([name for name, tally in zip(confusion.classes, tallies, strict=True) if not tally.occurs], 8),
        mistakes=mistakes[: MISTAKES if drawn or not confusion.is_square else MISTAKES_ALONE],
        map=drawn,
    )


def _summary(confusion: Confusion) -> str:
    total, right = confusion.total, confusion.right
    share = f" ({percent(right / total)})" if total else ""
    if confusion.is_square:
        return f"{right:,} of {counted(total, confusion.unit)} have the class of their label{share}."
    return f"{right:,} of {total:,} answers, one per sample and label, are right{share}."


def _table(
    confusion: Confusion, tallies: list[Tally], occurring: list[int]
) -> tuple[list[str], list[tuple[list[str], float]]]:
    """Titles and rows in the order of the classes; where they are too many, the worst ones first."""
    by_iou = confusion.task == "segmentation"
    counts = ["labels"] if confusion.is_square else ["labels", "true positives", "false positives", "false negatives"]
    columns = ["class", *counts, "recall", "precision", "IoU" if by_iou else "F1"]

    def score(place: int) -> float:
        value = tallies[place].iou if by_iou else tallies[place].f1
        return value or 0.0  # A class that occurs has both.

    shown = occurring if len(occurring) <= CLASSES else sorted(occurring, key=score)[:CLASSES]
    return columns, [
        (_cells(confusion, place, tallies[place], score(place)), round(100 * score(place), 1)) for place in shown
    ]


def _cells(confusion: Confusion, place: int, tally: Tally, score: float) -> list[str]:
    counts = [tally.labels]
    if not confusion.is_square:
        counts += [tally.true_positives, tally.false_positives, tally.false_negatives]
    shares = [ABSENT if share is None else percent(share) for share in (tally.recall, tally.precision, score)]
    return [confusion.classes[place], *(f"{count:,}" for count in counts), *shares]


def _mistakes(confusion: Confusion) -> list[str]:
    return [mistake_text(confusion, mistake) for mistake in confusion.mistakes()]


def mistake_text(confusion: Confusion, mistake: Mistake) -> str:
    """``water taken for land: 1,234 pixels, 6.2 % of water``."""
    label, prediction = confusion.classes[mistake.label], confusion.classes[mistake.prediction]
    amount = f"{counted(mistake.count, confusion.unit)}, {percent(mistake.share)} of {label}"
    return f"{label} taken for {prediction}: {amount}"


def _missed_and_given(confusion: Confusion, tallies: list[Tally]) -> list[str]:
    """Of independent labels, what was missed and what was given without reason; the most errors first."""
    lines = []
    for place in sorted(range(len(tallies)), key=lambda place: -tallies[place].wrong):
        tally, without = tallies[place], confusion.counts[place][1] + confusion.counts[place][3]
        if tally.wrong:
            missed = f"missed in {tally.false_negatives:,} of {counted(tally.labels, 'sample')} that have it"
            given = f"given to {tally.false_positives:,} of {without:,} that don't"
            lines.append(f"{confusion.classes[place]}: {missed}, {given}")
    return lines
