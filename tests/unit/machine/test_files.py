"""What is written is there as a whole or as it was, whatever ends the writer."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from terrasweep.machine import files
from terrasweep.machine.files import (
    draft_file,
    draft_folder,
    flush_everything,
    put_in_place,
    remove_abandoned_drafts,
    remove_folder,
    times_of_change,
    write_atomically,
    write_unflushed,
)
from terrasweep.machine.process_identity import short_name


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("value", ["Grün\n", b"\x89PNG"])
def test_text_and_bytes_arrive(tmp_path, value):
    file = tmp_path / "new" / "file"
    write_atomically(file, value)
    assert file.read_bytes() == (value.encode() if isinstance(value, str) else value)
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_a_written_file_has_the_rights_that_a_new_one_has(tmp_path):
    write_atomically(tmp_path / "drafted", "")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "drafted").stat().st_mode == (tmp_path / "plain").stat().st_mode


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_content_and_no_draft(tmp_path, monkeypatch, call):
    write_atomically(tmp_path / "file", "old")
    with draft_folder(tmp_path / "folder") as draft:
        (draft / "file").write_text("old")
    before = content(tmp_path)
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "file", "new")
    with pytest.raises(OSError, match="No space"), draft_folder(tmp_path / "folder") as draft:
        (draft / "file").write_text("new")
    assert content(tmp_path) == before


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_library_that_fails_half_way_leaves_the_old_content_and_no_draft(tmp_path, failure):
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(failure), draft_file(tmp_path / "file") as draft:
        draft.write_text("ha")
        raise failure
    with pytest.raises(failure), draft_folder(tmp_path / "folder") as draft:
        (draft / "file").write_text("ha")
        raise failure
    assert content(tmp_path) == {"file": "old"}
    assert not (tmp_path / "folder").exists()


def test_a_kill_before_the_move_leaves_the_old_content(tmp_path):
    write_atomically(tmp_path / "file", "old")
    code = (
        "import os, signal; from pathlib import Path; from terrasweep.machine.files import write_atomically; "
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL); write_atomically(Path('file'), 'new')"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_text() == "old"
    write_atomically(tmp_path / "file", "newer")
    assert (tmp_path / "file").read_text() == "newer"


def test_what_a_killed_process_left_is_removed_and_what_others_still_write_stays(tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from terrasweep.machine.files import draft_file, draft_folder; "
        "file, folder = draft_file(Path('file')), draft_folder(Path('folder')); file.__enter__().write_text('half'); "
        "(folder.__enter__() / 'file').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert len(list(tmp_path.iterdir())) == 2, "it left its drafts"
    _, *rest = short_name().split("-")
    elsewhere = tmp_path / f".file.{'-'.join(('0' * 8, *rest))}-00000000"
    others = [tmp_path / name for name in (".ask.lock", ".hidden", "file", ".file.x-y")]
    for path in (elsewhere, *others):
        path.touch()
    with draft_file(tmp_path / "mine") as mine:
        mine.touch()
        remove_abandoned_drafts(tmp_path)
        assert set(tmp_path.iterdir()) == {elsewhere, mine, *others}


def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    """What a power cut would leave can't be seen here; the order of the calls that decide it can."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def record_flush(descriptor):
        calls.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def record_move(draft, path):
        calls.append(("move", Path(draft)))
        replace(draft, path)

    monkeypatch.setattr(os, "fsync", record_flush)
    monkeypatch.setattr(os, "replace", record_move)
    with draft_folder(tmp_path / "folder") as draft:
        (draft / "below").mkdir()
        (draft / "below" / "file").write_text("")
    parts = [draft / "below" / "file", draft / "below", draft]
    assert sorted(calls[:3]) == sorted(("flush", part) for part in parts)
    assert calls[3:] == [("move", draft), ("flush", tmp_path)]
    calls.clear()
    (tmp_path / "draft").write_text("")
    put_in_place(tmp_path / "draft", tmp_path / "file")
    assert calls == [("flush", tmp_path / "draft"), ("move", tmp_path / "draft"), ("flush", tmp_path)]


def test_a_file_system_that_flushes_no_folders_is_no_obstacle(tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse_folders(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    for name in ("old", "new"):
        with draft_folder(tmp_path / "folder") as draft:
            (draft / name).write_text(name)
    assert content(tmp_path) == {"folder/new": "new"}


def test_a_folder_that_another_process_made_meanwhile_stays_where_it_may(tmp_path):
    with draft_folder(tmp_path / "folder", keep_existing=True) as draft:
        (draft / "mine").write_text("mine")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "theirs").write_text("theirs")
    assert content(tmp_path) == {"folder/theirs": "theirs"}


def test_a_removal_that_is_killed_leaves_nothing_under_the_name(tmp_path, monkeypatch):
    with draft_folder(tmp_path / "folder") as draft:
        (draft / "file").write_text("")

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.shutil, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        remove_folder(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    monkeypatch.undo()
    remove_folder(tmp_path / "never there")


def test_an_unflushed_file_is_there_at_once_and_everything_can_be_flushed(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    monkeypatch.setattr(os, "sync", lambda: flushed.append("everything"))
    write_unflushed(tmp_path / "new" / "a.vrt", "<Grün/>")
    assert (tmp_path / "new" / "a.vrt").read_text(encoding="utf-8") == "<Grün/>"
    assert flushed == []
    flush_everything()
    assert flushed == ["everything"]


def test_times_of_change_are_those_of_the_files_below(tmp_path):
    for number, name in enumerate(("3", "10", ".draft")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").touch()
        os.utime(tmp_path / name / "result.json", ns=(0, number))
    (tmp_path / "4").mkdir()
    (tmp_path / "a file").touch()
    assert times_of_change(tmp_path, "result.json") == {"3": 0, "10": 1, ".draft": 2}
    assert times_of_change(tmp_path / "nowhere", "result.json") == {}
    assert times_of_change(tmp_path / "a file", "result.json") == {}
