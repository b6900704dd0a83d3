"""Any text may be asked for, and the answer is a yes or a no."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.given_paths import exists, is_file, is_folder
from terrasweep.machine.paths import absolute, expanded

STRANGE = ["", "\0", "a\0b", 300 * "x", 5000 * "x/", "~nobody_of_this_name/x", "\ud800"]


@pytest.mark.parametrize("text", STRANGE[1:], ids=repr)
def test_what_can_not_be_a_path_is_not_there(text):
    path = expanded(text)
    assert (exists(path), is_folder(path), is_file(path)) == (False, False, False)


@given(st.text())
def test_no_text_raises(text):
    path = absolute(text)
    assert exists(path) >= (is_folder(path) or is_file(path))


def test_files_and_folders_are_told_apart_and_links_followed(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    found = {path.name: (is_folder(path), is_file(path)) for path in tmp_path.iterdir()}
    assert found == {
        "file": (False, True),
        "link": (False, True),
        "nowhere": (False, False),
        "circle": (False, False),
    }
    assert is_folder(tmp_path)
    assert expanded("~") == Path.home()
