"""Which sample shows what a finding is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePath

from terrasweep.data.find.file_names import IMAGE_ENDINGS
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.inspect.checks import Finding
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.views.headers import Header

Sample = tuple[str, str]
"""Split and name."""
_SHAPES = ("shapes", "band-count", "tile-size", "square", "modality-sizes")
_RARE = ("class-rare", "class-rarely-positive")
_OF_ALL = ("constant-band", "statistics", "target-scale")
_BETWEEN = ("domain-shift", "target-shift")
_ENDS = re.compile(r"(?=[\s,;:()]|$)")


class Examples:
    """Finds samples for findings."""

    def __init__(self, listing: Listing, case: Case, headers: dict[Sample, Header]) -> None:
        """Args: ``headers`` are those of the first kind of images, of all samples or of some."""
        self._listing, self._case, self._headers = listing, case, headers
        self._by_text: dict[str, Sample] = {}
        for split, names in listing.names.items():
            for name in names:
                for text in (name, PurePath(name).name, *(name + suffix for suffix in listing.suffixes.values())):
                    self._by_text.setdefault(text, (split, name))

    def of(self, finding: Finding) -> list[Sample]:
        """The samples that a finding names, or that show it; none where it is about no file."""
        named = list(dict.fromkeys(self._named(finding.line)))
        return named[:2] or [sample for sample in self._by_rule(finding.rule) if sample][:2]

    def _named(self, line: str) -> Iterator[Sample]:
        splits = "|".join(map(re.escape, self._listing.names))
        for start in re.finditer(rf"\bfirst (?:in )?(?:(?:{splits})/)?|(?<=[\s(])(?:{splits})/", line):
            split = re.search(rf"({splits})/$", start[0])
            if found := self._longest(line[start.end() :], split and split[1]):
                yield found
        for word in re.findall(r"[^\s,;:()]+", line):
            if word.lower().endswith(IMAGE_ENDINGS) and (found := self._known(PurePath(word).name, None)):
                yield found

    def _longest(self, text: str, split: str | None) -> Sample | None:
        """The sample whose name a text begins with."""
        for end in reversed([match.start() for match in _ENDS.finditer(text[:300])]):
            if found := self._known(text[:end], split):
                return found
        return None

    def _known(self, text: str, split: str | None) -> Sample | None:
        file = PurePath(text)
        found = self._by_text.get(text) or self._by_text.get(str(file.parent / file.stem))
        if found is None or split is None or split == found[0]:
            return found
        return (split, found[1]) if found[1] in self._listing.names[split] else found

    def _by_rule(self, rule: str) -> list[Sample | None]:
        if rule in _SHAPES:
            return [self._odd_one_out(lambda header: (header.count, header.height, header.width))]
        if rule == "number-types":
            return [self._odd_one_out(lambda header: header.dtypes)]
        if rule in _RARE:
            counts = self._case.class_counts("train")
            return [self._with_label("train", min(counts, key=lambda label: counts[label]))] if counts else []
        if rule == "class-not-in-train":
            missing = self._case.class_counts("val").keys() - self._case.class_counts("train").keys()
            return [self._with_label("val", label) for label in sorted(missing)]
        if rule == "mostly-no-data":
            images = (image for modality in self._case.modalities for _, image in self._case.images(modality))
            return [self._by_text.get(image.first_not_finite or "") for image in images]
        splits = {**dict.fromkeys(_OF_ALL, ("train",)), **dict.fromkeys(_BETWEEN, ("train", "val"))}.get(rule, ())
        return [(split, self._listing.names[split][0]) for split in splits if self._listing.names.get(split)]

    def _odd_one_out(self, trait: Callable[[Header], object]) -> Sample | None:
        traits = {sample: trait(header) for sample, header in self._headers.items()}
        counts = Counter(traits.values())
        return min(traits, key=lambda sample: counts[traits[sample]], default=None)

    def _with_label(self, split: str, label: int) -> Sample | None:
        name = self._case.split(split).labels.first_with.get(label)
        return (split, name) if name is not None and name in self._listing.names.get(split, ()) else None
