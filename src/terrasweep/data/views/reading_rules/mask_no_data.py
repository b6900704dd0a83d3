"""The value that masks' headers mark as no data is a label where the configuration says so. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.file_set import NOTE, FileSet, Remark
from terrasweep.data.views.view import View
from terrasweep.results.wording import counted, listed


def keep_no_data_of_masks(files: FileSet) -> FileSet:
    """With ``data.labels.keep_no_data``: take the marks out of the masks, whatever their headers say."""
    if MASK not in files.headers or not files.config.data.label_settings.keep_no_data:
        return files
    marks = [header.no_data[0] for header in files.readable(MASK) if header.no_data[0] is not None]
    if not marks:
        return files.with_remarks(Remark(rule="mask-no-data", level=NOTE, line=_idle(files)))
    files = files.with_views(MASK, [view and _unmarked(view) for view in files.views[MASK]])
    values = listed(f"{value:g}" for value in sorted(set(marks)))
    line = (
        f"data.labels.keep_no_data=true: {counted(len(marks), 'mask')} with {values} marked as no data, which is read "
        "as a label"
    )
    return files.with_remarks(Remark(rule="mask-no-data", level=NOTE, line=line))


def _unmarked(view: View) -> View:
    return replace(view, no_data=None, bands=tuple(replace(source, no_data=None) for source in view.bands))


def _idle(files: FileSet) -> str:
    return "data.labels.keep_no_data=true: no mask's header marks a value as no data, so that it changes nothing"
