"""Checks of class labels. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.data.find.numbering import counted_up
from terrasweep.data.inspect.checks.case import ERROR, EXCLUSIVE, MOST_NAMED, NOTE, WARNING, Case, Check
from terrasweep.data.inspect.checks.stored_values import is_doubtful, looks_like, renumbered
from terrasweep.results.wording import counted, listed


def _settings(case: Case) -> Iterator[str]:
    if case.task == "regression" or case.num_classes is None:
        return
    per_class = {
        "task.class_weights": case.config.task.class_weights,
        "data.class_names": case.config.data.class_names,
    }
    for key, values in per_class.items():
        if isinstance(values, list) and len(values) != case.num_classes:
            yield (
                f"{key}: it has {len(values)} values for {counted(case.num_classes, 'class')}; give one per class, or "
                "null"
            )


def _range(case: Case) -> Iterator[str]:
    classes, ignored = case.num_classes, case.config.task.ignore_index
    if case.task == "regression" or classes is None:
        return
    first: dict[int, str] = {}
    for split, seen in case.survey.splits.items():
        for label, count in sorted(seen.labels.counts.items()):
            if label != ignored and count > 0 and not 0 <= label < classes:
                first.setdefault(label, f"{split}/{seen.labels.first_with.get(label, '?')}")
    if first:
        shown = listed(f"{label} (first in {place})" for label, place in sorted(first.items()))
        yield (
            f"data.num_classes={classes}: labels outside 0 to {classes - 1}: {shown}; "
            f"{_way_out(case, classes, sorted(first))}"
        )


def _way_out(case: Case, classes: int, outside: list[int]) -> str:
    lowest, highest = outside[0], outside[-1]
    zero = any(seen.labels.counts.get(0) for seen in case.survey.splits.values())
    if outside == [classes] and not zero:
        return f"number the classes from 0, or raise data.num_classes to {classes + 1}"
    raised = f"raise data.num_classes to {highest + 1}"
    if len(outside) == 1 and case.task == "segmentation":
        ignore = f"set task.ignore_index={lowest} if it means no data"
        if (key := renumbered(case)) and key.count(":") == classes:
            ignore += f", number the classes by '{key}'"
        return ignore + (f", or {raised}" if lowest >= 0 else ", or mend the labels")
    return f"{raised}, or mend the labels" if lowest >= 0 else "mend the labels"


def _far_label(case: Case) -> int | None:
    """A largest label that gave the number of classes, though train has fewer than half of them."""
    given = case.config.data.num_classes or case.config.data.class_names or case.survey.class_names
    counts = case.class_counts("train")
    if case.task not in EXCLUSIVE or given or len(counts) < 2 or is_doubtful(case):
        return None
    largest = max(counts)
    return largest if largest + 1 == case.num_classes and len(counts) < (largest + 1) / 2 else None


def _gap(case: Case) -> Iterator[str]:
    largest = _far_label(case)
    if largest is not None:
        counts, place = case.class_counts("train"), case.split("train").labels.first_with.get(largest, "?")
        seen, key = looks_like(case), renumbered(case)
        by = f" by '{key}'" if key else ""
        yield (
            f"data.num_classes=null: by the largest label, {largest} (first in train/{place}), there are {largest + 1} "
            f"classes, but train has {len(counts)} of them"
        ) + (
            f": it looks like {seen[0]}; set '{seen[1]}', or task.ignore_index={largest} if it means no data"
            if seen
            else f"; set task.ignore_index={largest} if it means no data, number the classes 0 to {len(counts) - 1}"
            f"{by}, or set data.num_classes={largest + 1}"
        )


def _single_train(case: Case) -> Iterator[str]:
    classes = case.class_counts("train")
    if case.task in EXCLUSIVE and len(classes) == 1:
        marked = sorted(_marked(case))
        way_out = _of_marks(marked) if marked else "correct the labels, or the division into splits"
        yield (
            f"{case.place}: every label of train that counts{case.partly('train')} is {case.named(classes)}, so that "
            f"there is nothing to learn; {way_out}"
        )


def _single_val(case: Case) -> Iterator[str]:
    classes = case.class_counts("val")
    if case.task in EXCLUSIVE and len(classes) == 1 < len(case.class_counts("train")):
        yield (
            f"{case.place}: every label of val that counts{case.partly('val')} is {case.named(classes)}, so that a "
            "model that always says so is perfect; correct the labels, or the division into splits"
        )


def _disjoint(case: Case) -> Iterator[str]:
    train, val = case.class_counts("train"), case.class_counts("val")
    if case.task != "regression" and train and val and not train.keys() & val.keys():
        yield (
            f"{case.place}: val has none of train's classes (train: {case.named(train)}; val: {case.named(val)}), "
            "so that no configuration can be right; correct the labels, or the division into splits"
        )


def _unlearnt(case: Case) -> Iterator[str]:
    train, val = case.class_counts("train"), case.class_counts("val")
    missing = [label for label in val if label not in train]
    if case.task != "regression" and train.keys() & val.keys() and missing and not is_doubtful(case):
        yield (
            f"{case.place}: {counted(len(missing), 'class')} of val never in train{case.partly('train')}: "
            f"{case.named(missing)}; no configuration can learn them, and all lose accuracy alike: divide the splits "
            "anew, or drop the classes"
        )


def _unused(case: Case) -> Iterator[str]:
    if case.task == "regression" or case.num_classes is None:
        return
    seen = case.class_counts("train").keys() | case.class_counts("val").keys()
    unused = [n for n in range(case.num_classes) if n not in seen and n != case.config.task.ignore_index]
    marked = [label for label in unused if label in _marked(case)]
    if seen and marked:
        yield (
            f"data.num_classes={case.num_classes}: {counted(len(marked), 'class')} never in train or val: "
            f"{case.named(marked)}; {_of_marks(marked)}"
        )
    unused = [label for label in unused if label not in marked]
    if seen and unused and _far_label(case) is None and not is_doubtful(case):
        carrier = "positive in" if case.task == "multilabel" else "in"
        key = None if case.config.data.num_classes else renumbered(case)
        way_out = f"number those that are there by '{key}'" if case.task == "segmentation" and key else "lower it"
        yield (
            f"data.num_classes={case.num_classes}: {counted(len(unused), 'class')} never {carrier} train or "
            f"val{case.partly('train')}: {case.named(unused)}; {way_out}, or add samples of them"
        )


def _marked(case: Case) -> set[int]:
    """Labels that the masks' headers mark as no data, so that their pixels don't count."""
    marks = (value for seen in case.survey.splits.values() for value in seen.labels.no_data)
    return {int(value) for value in marks if value >= 0 and value == int(value)}


def _of_marks(labels: list[int]) -> str:
    """Why labels are missing, and how to keep them."""
    return (
        f"the masks' headers mark {listed(labels)} as no data, so that these pixels don't count: where they are a "
        "class, set data.labels.keep_no_data=true"
    )


def _behind_classes(case: Case) -> Iterator[str]:
    """A mark right behind the classes that were counted may be one more."""
    marked = [label for label in _marked(case) if label == case.num_classes]
    is_counted = case.task == "segmentation" and not case.config.data.num_classes
    if is_counted and marked and len(case.class_counts("train")) > 1:
        yield f"data.num_classes=null: {counted(marked[0], 'class')} are in the masks; {_of_marks(marked)}"


def _order(case: Case) -> Iterator[str]:
    """Earlier versions sorted numbers as texts, and their studies go on so."""
    names = case.survey.class_names or []
    if case.task == "classification" and not case.config.data.class_names and names != counted_up(names):
        shown = ",".join(f"'{name}'" for name in counted_up(names))
        yield (
            f"{case.place}: classes are numbered {listed(names, MOST_NAMED)}, as an earlier version listed these data, "
            f"so that its studies stay comparable; data.class_names=[{shown}] numbers them as they count, in a new "
            "study"
        )


CLASS_CHECKS = (
    Check("class-settings", ERROR, _settings),
    Check("label-range", ERROR, _range),
    Check("class-gap", ERROR, _gap),
    Check("single-class", ERROR, _single_train),
    Check("no-common-class", ERROR, _disjoint),
    Check("single-class-val", WARNING, _single_val),
    Check("class-not-in-train", WARNING, _unlearnt),
    Check("class-unused", WARNING, _unused),
    Check("class-marked", NOTE, _behind_classes),
    Check("class-order", WARNING, _order),
)
