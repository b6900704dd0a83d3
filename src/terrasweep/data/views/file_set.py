"""All files of a data set, and how each is to be read: what :mod:`~terrasweep.data.views.reading_rules` change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from terrasweep.config.band_choice import OwnBands, given_bands
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.headers import Header
from terrasweep.data.views.view import View, whole_file

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What the files say that a person should know, in one line with the way out."""

    rule: str
    """Name of the check in docs/checks.md."""
    level: str
    """``error``, ``warning``, or ``note`` for what was understood and done."""
    line: str


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """The files of a data set by kind (modalities, ``mask``), in the order of the samples; None: unreadable."""

    config: TrialConfig
    samples: tuple[tuple[str, str], ...]
    """``(split, name)``."""
    headers: dict[str, list[Header | None]]
    views: dict[str, list[View | None]]
    folder: Path
    """Where a rule may write files that no view can show."""
    own_bands: dict[str, OwnBands] = field(default_factory=dict)
    """By modality, the bands of its first file."""
    remarks: tuple[Remark, ...] = field(default=())
    class_names: list[str] | None = None
    """By number, where the labels have names."""

    @property
    def modalities(self) -> list[str]:
        """Kinds of images, in order."""
        return [kind for kind in self.headers if kind != MASK]

    def given_bands(self, kind: str) -> list[str]:
        """What the configuration says about a modality's bands; empty where it leaves them to the files."""
        return given_bands(self.config.data, kind)

    def bands_key(self, kind: str) -> str:
        """The key that says it."""
        return f"data.modalities.{kind}.bands" if kind in self.config.data.modalities else "data.bands"

    def subject(self, kind: str) -> str:
        """How a line begins that is about the images of a modality."""
        place = f"data.root={self.config.data.root}"
        return place if kind == IMAGE else f"{place}: {kind}"

    @property
    def ignored(self) -> int:
        """What stands in a mask for no class."""
        given = self.config.task.ignore_index
        return -1 if given is None else given

    def readable(self, kind: str) -> list[Header]:
        """The headers of a kind's readable files."""
        return [header for header in self.headers[kind] if header is not None]

    def with_views(self, kind: str, views: list[View | None]) -> FileSet:
        """A copy in which the files of a kind are read otherwise."""
        return replace(self, views=self.views | {kind: views})

    def with_masks(self, headers: list[Header | None]) -> FileSet:
        """A copy whose masks are other files, which are read as they lie."""
        views = [None if header is None else whole_file(header) for header in headers]
        return replace(self, headers=self.headers | {MASK: headers}, views=self.views | {MASK: views})

    def with_remarks(self, *remarks: Remark) -> FileSet:
        """A copy with more to say."""
        return replace(self, remarks=(*self.remarks, *remarks))

    def noted(self, rule: str, line: str) -> FileSet:
        """A copy that says what was understood and done."""
        return self.with_remarks(Remark(rule=rule, level=NOTE, line=line))

    def place(self, kind: str, index: int) -> str:
        """How a line names a file."""
        header = self.headers[kind][index]
        return Path(header.file).name if header else "/".join(self.samples[index])
