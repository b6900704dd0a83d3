"""Checks of the division into splits. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.data.inspect.checks.case import ERROR, WARNING, Case, Check
from terrasweep.results.wording import counted, listed, one_line


def _empty(case: Case) -> Iterator[str]:
    data = case.config.data
    named = data.split.by == "lists" and data.split.test is not None
    for split in ("train", "val", *(["test"] if named else [])):
        if case.split(split).samples == 0:
            yield _without_samples(case, split)


def _empty_test(case: Case) -> Iterator[str]:
    split = case.config.data.split
    wanted = split.by in ("fraction", "blocks") and sum(split.fractions[2:]) > 0
    if wanted and case.split("test").samples == 0:
        yield _without_samples(case, "test")


def _without_samples(case: Case, split: str) -> str:
    division = case.config.data.split
    if division.by == "lists":
        return (
            f"data.split.{split}={getattr(division, split)}: {split} has no samples; list names of samples that are "
            "there (docs/data.md shows the format)"
        )
    if division.by in ("fraction", "blocks"):
        total = sum(seen.samples for seen in case.survey.splits.values())
        blocks = f", or lower data.split.block_tiles={division.block_tiles}" if division.by == "blocks" else ""
        return (
            f"data.split.fractions={division.fractions}: {split} gets none of the {counted(total, 'sample')}; "
            f"raise its share{blocks}"
        )
    return f"{case.place}: {split} has no samples; put files into its folder (docs/data.md shows the layout)"


def _unreadable(case: Case) -> Iterator[str]:
    for split, seen in case.survey.splits.items():
        if seen.unreadable:
            name, reason = next(iter(seen.unreadable.items()))
            yield (
                f"{case.place}: {counted(len(seen.unreadable), 'sample')} of {split} can't be read, first {name}: "
                f"{one_line(reason)}; mend or remove the files"
            )


def _shared(case: Case, *, test: bool) -> Iterator[str]:
    by_splits: dict[tuple[str, str], list[str]] = {}
    for split, name, other, other_name in case.survey.shared:
        if ("test" in (split, other)) is test:
            by_splits.setdefault((split, other), []).append(f"{split}/{name} = {other}/{other_name}")
    for (split, other), pairs in by_splits.items():
        harm = (
            f"results on {'test' if test else 'val'} would be measured on what was learnt"
            if "train" in (split, other)
            else "the splits are not independent"
        )
        yield (
            f"{case.place}: {counted(len(pairs), 'image')} of {split} and {other} with the same pixels "
            f"({listed(pairs)}): {harm}; keep each image in one split"
        )


def _leak(case: Case) -> Iterator[str]:
    yield from _shared(case, test=False)


def _leak_test(case: Case) -> Iterator[str]:
    yield from _shared(case, test=True)


def _small_train(case: Case) -> Iterator[str]:
    size, samples = case.config.train.batch_size, case.split("train").samples
    if 0 < samples < size:
        yield (
            f"train.batch_size={size}: train has {counted(samples, 'sample')} only, so that no batch is that large, "
            f"and memory and throughput are those of {samples}; use train.batch_size={samples} or less"
        )


def _neighbours(case: Case) -> Iterator[str]:
    cut = case.config.data.cut
    if cut and case.config.data.split.by == "fraction":
        yield (
            f"data.split.by=fraction with data.cut={str(cut).lower()}: neighbouring tiles of one scene, which are "
            "alike, come into train and val; use data.split.by=blocks, or divide the scenes by lists"
        )


SPLIT_CHECKS = (
    Check("empty-split", ERROR, _empty),
    Check("empty-test", WARNING, _empty_test),
    Check("unreadable", ERROR, _unreadable),
    Check("leak", ERROR, _leak),
    Check("leak-test", WARNING, _leak_test),
    Check("neighbours", WARNING, _neighbours),
    Check("small-train", WARNING, _small_train),
)
