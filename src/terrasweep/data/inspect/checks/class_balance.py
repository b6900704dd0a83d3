"""Checks of how often classes occur. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.config.losses import AUTO
from terrasweep.data.inspect.checks.case import EXCLUSIVE, MOST_NAMED, NOTE, WARNING, Case, Check
from terrasweep.data.inspect.checks.class_weights import UNSEEN, weights_by_frequency
from terrasweep.data.inspect.checks.stored_values import is_doubtful
from terrasweep.results.wording import counted, listed, percent, rounded

RARE = 0.1
"""A class with less than this part of an even share of train's labels is rare."""
RARE_POSITIVE = 0.01
"""A class of several labels per sample that fewer of train's samples have is rare."""
_SHOWN = 30
"""Weights in a line."""


def _rare(case: Case) -> Iterator[str]:
    counts = case.class_counts("train")
    if case.task not in EXCLUSIVE or case.config.task.class_weights is not None or len(counts) < 2:
        return
    total, limit = sum(counts.values()), RARE / (case.num_classes or len(counts))
    shares = {label: count / total for label, count in counts.items() if count / total < limit}
    if shares and not is_doubtful(case):
        labels = "pixels" if case.task == "segmentation" else "samples"
        yield (
            f"{case.place}: rare classes in train ({_shares(case, shares)} of the {labels}; an even share is "
            f"{percent(limit / RARE)}); weight them by task.class_weights, or add samples of them"
        )


def _rare_positive(case: Case) -> Iterator[str]:
    read, counts = case.split("train").read, case.class_counts("train")
    if case.task != "multilabel" or case.config.task.class_weights is not None or not read:
        return
    shares = {label: count / read for label, count in counts.items() if count / read < RARE_POSITIVE}
    if shares:
        yield (
            f"{case.place}: classes that few samples of train have ({_shares(case, shares)}); weight them by "
            "task.class_weights, or add samples of them"
        )


def _always_positive(case: Case) -> Iterator[str]:
    read = case.split("train").read
    always = [label for label, count in case.class_counts("train").items() if count >= read > 0]
    if case.task == "multilabel" and always:
        yield (
            f"{case.place}: {counted(len(always), 'class')} positive in every sample of train"
            f"{case.partly('train')}: {case.named(always)}; they tell nothing: leave them out, or add samples without"
        )


def _weights(case: Case) -> Iterator[str]:
    if case.config.task.class_weights != AUTO or case.task == "regression":
        return
    weights, counts = weights_by_frequency(case), case.class_counts("train")
    shown = listed((f"{case.class_name(label)} {rounded(weight)}" for label, weight in enumerate(weights)), _SHOWN)
    absent = [label for label in range(len(weights)) if label not in counts]
    never = f"; never in train, and so {UNSEEN:g}: {case.named(absent)}" if absent else ""
    yield f"task.class_weights={AUTO}: by the labels of train{case.partly('train')}: {shown}{never}"


def _shares(case: Case, shares: dict[int, float]) -> str:
    rarest_first = sorted(shares.items(), key=lambda pair: pair[1])
    return listed((f"{case.class_name(label)} {percent(share)}" for label, share in rarest_first), MOST_NAMED)


BALANCE_CHECKS = (
    Check("class-rare", WARNING, _rare),
    Check("class-rarely-positive", WARNING, _rare_positive),
    Check("class-always-positive", WARNING, _always_positive),
    Check("class-weights", NOTE, _weights),
)
