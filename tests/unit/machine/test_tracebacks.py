"""The traceback of an unexpected error is in the file that its one line names."""

from pathlib import Path

from terrasweep.machine.tracebacks import unexpected_error

SECRET = "geheim7"  # noqa: S105 - what the tests look for


def raised():
    try:
        raise KeyError(f"http://me:{SECRET}@host")
    except KeyError as error:
        return error


def test_the_line_names_the_file_and_tells_no_password(home, monkeypatch):
    monkeypatch.setattr("sys.argv", ["sweep.py", f"tracking.uri=http://me:{SECRET}@host"])
    (line,) = unexpected_error(raised()).splitlines()
    assert line.startswith("unexpected error: KeyError: 'http://me:***@host'; the traceback is in ")
    file = Path(line.rpartition(" ")[2])
    assert file.parent == home / "results" / ".errors"
    text = file.read_text()
    assert text.startswith("sweep.py tracking.uri=http://me:***@host\n")
    assert "in raised" in text
    assert SECRET not in text


def test_where_the_results_cannot_be_written_it_is_in_the_temporary_folder(home, monkeypatch, tmp_path):
    (home / "results").write_text("a file stands where the folder should be")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    line = unexpected_error(raised())
    assert Path(line.rpartition(" ")[2]).parent == tmp_path / "temporary" / "terrasweep-errors"


def test_where_nothing_can_be_written_it_is_told(home, monkeypatch):
    (home / "results").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(home / "results"))
    text = unexpected_error(raised())
    assert "in raised" in text
    assert text.splitlines()[-1].endswith("no file could be written for its traceback")
