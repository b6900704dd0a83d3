"""What a trial and its sweep tell each other goes through files unchanged."""

from terrasweep.trial.validations import (
    Answer,
    Progress,
    Validation,
    forget,
    read_answer,
    read_progress,
    write_answer,
    write_progress,
)

PROGRESS = Progress(
    length=40,
    validations=[Validation(steps=10, values={"accuracy": 0.1 + 0.2}), Validation(steps=20, values={"accuracy": None})],
    costs={"peak_memory_mib": 12.5},
)


def test_both_arrive_as_they_were_sent_and_go_without_a_trace(tmp_path):
    assert (read_progress(tmp_path), read_answer(tmp_path)) == (None, None)
    write_progress(tmp_path, PROGRESS)
    write_answer(tmp_path, Answer(validations=2, ends="a pruner: enough"))
    assert read_progress(tmp_path) == PROGRESS
    assert read_answer(tmp_path) == Answer(validations=2, ends="a pruner: enough")
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []
    forget(tmp_path)
