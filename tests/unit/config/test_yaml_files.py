"""A YAML file that can't be read is one line with its place, the reason and the way out."""

import pytest
from hydra.core.global_hydra import GlobalHydra

from terrasweep.config.compose import compose
from terrasweep.config.yaml_files import describe_unreadable
from terrasweep.results.errors import InvalidConfig

HEADER = b"# @package _global_\n"
UNREADABLE = {
    "syntax": (HEADER + b"study: {n_trials: 7\n", "line 3, column 1: did not find expected ',' or '}'"),
    "tab": (HEADER + b"study:\n\tn_trials: 7\n", "line 3, column 1: found character that cannot start any token"),
    "twice": (HEADER + b"study:\n  n_trials: 7\n  n_trials: 8\n", "line 4, column 3: found duplicate key n_trials"),
    "latin": (HEADER + b"study:\n  # Gr\xfc\xdfe\n  n_trials: 7\n", "line 3: the byte 0xfc is not UTF-8"),
    "late": (HEADER + b"#" * 9000 + b"\n# \xe9\n", "line 3: the byte 0xe9 is not UTF-8"),
    "utf16": ((HEADER + b"study: {}\n").decode().encode("utf-16"), "line 1: it is UTF-16; save it as UTF-8"),
    "alias": (HEADER + b"study: *a\n", "line 2, column 8: found undefined alias"),
    "tag": (HEADER + b"study: !!python/object:os.system {}\n", "line 2, column 8: could not determine a constructor"),
    "control": (HEADER + b"study: {n\x01: 1}\n", "line 2: the sign U+0001 is not allowed"),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("group", ["sweeps", "search_spaces"])
def test_a_file_that_cannot_be_read_is_one_line_with_its_place(home, group, name):
    content, told = UNREADABLE[name]
    (home / group).unlink()
    file = home / group / f"{name}.yaml"
    file.parent.mkdir()
    file.write_bytes(content)
    GlobalHydra.instance().clear()
    with pytest.raises(InvalidConfig) as refused:
        compose([f"{group}={name}"])
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{file}, {told}")
    assert "; " in line


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"study: {}\n"], ids=["a byte order mark", "other lines"])
def test_a_file_whose_header_hydra_does_not_see_is_told(home, before):
    (home / "sweeps").unlink()
    (home / "sweeps").mkdir()
    (home / "sweeps" / "marked.yaml").write_bytes(before + HEADER + b"budget: {timeout_s: 7}\n")
    GlobalHydra.instance().clear()
    with pytest.raises(InvalidConfig, match="first line, and no BOM before it") as refused:
        compose(["sweeps=marked"])
    assert str(refused.value).startswith("sweeps: ")


def test_another_error_is_not_described():
    assert describe_unreadable(ValueError("no file")) is None
    assert describe_unreadable(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "of our own")) is None
