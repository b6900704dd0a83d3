"""The hash of terrasweep's own code."""

from terrasweep.machine.own_code import code_digest, files_digest


def test_other_packages_have_other_hashes():
    assert code_digest(("machine",)) == code_digest(("machine",))
    assert code_digest(("machine",)) != code_digest(("machine", "results"))


def test_a_changed_or_renamed_file_changes_it(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("1")
    before = files_digest([file])
    file.write_text("2")
    changed = files_digest([file])
    renamed = files_digest([file.rename(tmp_path / "b.py")])
    assert len({before, changed, renamed}) == 3
