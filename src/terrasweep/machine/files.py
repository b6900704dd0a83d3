"""Files and folders written so that a reader sees the old content or the new, never a part of it.

Everything is drafted beside its place, flushed to the disk, and moved into place in one step; the move itself is
flushed too, so that it survives a power cut. A draft whose writer fails is removed; one whose writer was killed stays
behind, under a hidden name that nothing reads, until :func:`remove_abandoned_drafts` finds it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from terrasweep.machine.process_identity import is_alive, short_name

DRAFT_ENDING = r"(?P<owner>[0-9a-f]{8}-[0-9a-f]{8}-\d+-\d+)-[0-9a-f]{8}"
"""What the name of a draft ends in: whose it is, and a number by chance."""
_DRAFT = re.compile(rf"\..+\.{DRAFT_ENDING}")
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_CANNOT_FLUSH_FOLDERS = (errno.EINVAL, errno.ENOTSUP)
"""What some network file systems answer."""


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whose content is at hand, text in UTF-8.

    Raises:
        OSError: It can't be written; what was there is unchanged.
    """
    with draft_file(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def times_of_change(folder: Path, name: str) -> dict[str, int]:
    """When the files of a name were changed that lie in the folders below one, asked with one look at each.

    Args:
        folder: It may not be there.
        name: Of the files.

    Returns:
        Names of the folders that have such a file, with its time of change in nanoseconds; in any order.
    """
    found = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[entry.name] = os.stat(f"{entry.path}/{name}").st_mtime_ns  # noqa: PTH116 - of thousands
    return found


def write_unflushed(path: Path, content: str) -> None:
    """Write one of many files that nobody reads before :func:`flush_everything`: flushing each takes ten times as long.

    Raises:
        OSError: It can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def flush_everything() -> None:
    """Bring all that was written to the disk."""
    os.sync()


@contextlib.contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A file to be, for a library that writes it by itself; it takes its place where the block ends well.

    Yields:
        The path to write to: in the same folder, which is made, and not there yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(path)
    try:
        yield draft
        put_in_place(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def draft_folder(path: Path, *, keep_existing: bool = False) -> Iterator[Path]:
    """A folder to be; it takes its place as a whole where the block ends well.

    Args:
        path: The folder.
        keep_existing: Whether one that another process has made meanwhile stays, and the draft goes. Else the draft
            takes its place: a kill in between leaves the old one, none, or the new one.

    Yields:
        An empty folder beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(path)
    draft.mkdir()
    try:
        yield draft
        for folder, _, names in os.walk(draft):
            for flushed in (*(Path(folder) / name for name in names), Path(folder)):
                _flush(flushed)
        _move_folder(draft, path, keep_existing=keep_existing)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, path: Path) -> None:
    """Make a finished file, on the same file system, the content of a path."""
    _flush(draft)
    os.replace(draft, path)
    _flush(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder, such that a kill at any moment leaves all of it under its name or nothing."""
    doomed = _beside(path)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _move_folder(draft: Path, path: Path, *, keep_existing: bool) -> None:
    try:
        os.replace(draft, path)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        if keep_existing:
            return
        remove_folder(path)
        os.replace(draft, path)
    _flush(path.parent)


def remove_abandoned_drafts(folder: Path) -> None:
    """Remove what processes that have ended left in a folder when they were killed in the middle of writing.

    What a process on another machine drafts stays: nobody here can tell whether it still does.
    """
    for found in folder.glob(".*"):
        draft = _DRAFT.fullmatch(found.name)
        if draft is None or is_alive(draft["owner"]):
            continue
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found, ignore_errors=True)
        else:
            found.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A hidden name that no other process on whatever host chooses, and that says whose it is."""
    return path.with_name(f".{path.name}.{short_name()}-{secrets.token_hex(4)}")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno in _CANNOT_FLUSH_FOLDERS):
            raise
    finally:
        os.close(descriptor)
