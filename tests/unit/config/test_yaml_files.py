"""A YAML file that can't be read is one line with its place, the reason and the way out."""

from types import ModuleType

import hydra
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException

from terrasweep.config.bad_input import describe_bad_input, is_bad_input
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


@pytest.mark.parametrize("group", ["sweeps", "search_spaces"])
@pytest.mark.parametrize("content", [b"- study: {n_trials: 7}\n", b"---\n[]\n"], ids=["items", "empty"])
def test_a_file_that_is_a_list_is_one_line(home, group, content):
    (home / group).unlink(missing_ok=True)
    (home / group).mkdir()
    file = home / group / "listed.yaml"
    file.write_bytes(content)
    GlobalHydra.instance().clear()
    with pytest.raises(InvalidConfig) as refused:
        compose([f"{group}=listed"])
    assert str(refused.value) == (
        f"{file}: it is a list, from which nothing would be taken; give keys with values, like study: {{seed: 1}}"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEADER + b"- study\n", "sweeps/odd.yaml: a list stands where keys are expected"),
        (HEADER + b"hydra: {sweeper: {params: [1]}}\n", "sweeps/odd.yaml: a list stands where keys are expected"),
        (HEADER + b"study: [1]\n", "sweeps/odd.yaml: Merge error: list is not a subclass of StudyConfig"),
        (b"7\n", "FILE: it is a single value; give keys"),
    ],
    ids=["items", "below a key", "a section", "a number"],
)
def test_content_that_holds_no_keys_where_they_are_wanted_is_one_line(home, content, told):
    (home / "sweeps").unlink()
    (home / "sweeps").mkdir()
    file = home / "sweeps" / "odd.yaml"
    file.write_bytes(content)
    GlobalHydra.instance().clear()
    with pytest.raises((HydraException, InvalidConfig, OSError)) as refused:
        compose(["sweeps=odd"])
    assert is_bad_input(refused.value)
    (line,) = describe_bad_input(refused.value)
    assert line.startswith(told.replace("FILE", str(file)))
    assert "; " in line


def test_a_list_that_another_file_of_its_name_hides_is_not_told(home):
    (home / "budget").mkdir()
    (home / "budget" / "default.yaml").write_text("- 1\n")
    GlobalHydra.instance().clear()
    assert compose([]).budget.memory_gib is None


def test_a_file_without_anything_is_allowed(home):
    (home / "budget").mkdir()
    (home / "budget" / "none.yaml").write_text("# nothing\n")
    GlobalHydra.instance().clear()
    assert compose(["budget=none"]).budget.memory_gib is None


def test_another_error_is_not_described():
    assert describe_unreadable(ValueError("no file")) is None
    assert describe_unreadable(OSError("no space")) is None
    assert describe_unreadable(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "of our own")) is None


def test_hydra_s_reader_names_the_file_in_a_local_of_its_frame(tmp_path):
    """Which is private: another version may call it otherwise, and nobody would be told which file it is."""
    (tmp_path / "latin.yaml").write_bytes(b"a: Gr\xfc\xdfe\n")
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(tmp_path)), pytest.raises(UnicodeDecodeError) as raised:
        hydra.compose("latin")
    said = f"hydra {hydra.__version__}: it has no local `full_path` while it reads a file"
    assert str(describe_unreadable(raised.value)).startswith(f"{tmp_path / 'latin.yaml'}, line 1"), said


def raised_while_hydra_reads(file, error):
    """An error as it comes out of Hydra's reader with a file open."""
    reader = ModuleType("hydra.of_this_test")
    source = "def read(full_path, error):\n    raise error\n"
    exec(compile(source, "hydra.py", "exec"), reader.__dict__)  # noqa: S102 - the source is the test's own
    with pytest.raises(type(error)) as raised:
        reader.read(str(file), error)
    return raised.value


def test_an_error_without_a_place_and_one_of_a_file_that_was_mended_meanwhile_name_the_file(tmp_path):
    file = tmp_path / "mended.yaml"
    file.write_text("study: {}\n")
    odd = raised_while_hydra_reads(file, yaml.YAMLError("it is\n  odd"))
    assert describe_unreadable(odd) == f"{file}: it is odd; correct it"
    latin = raised_while_hydra_reads(file, UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid start byte"))
    assert describe_unreadable(latin) == f"{file}: it could not be read as UTF-8; save it as UTF-8"
