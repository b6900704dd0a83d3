"""Nothing is measured twice, and what is measured first changes nothing."""

import json

import pytest

from tests.conftest import SMALL
from tests.trials import run_measured, tiny

pytestmark = pytest.mark.slow

STEPS = ("train.max_steps=12", "train.untimed_steps=3", "precision=fp32", "tuning.dropout=0.2", "train.device=cpu")
SPACE = """# @package _global_
hydra:
  sweeper:
    params:
      checkpointing: choice(none,blocks)
      train.accumulate: choice(1,2)
      train.lr: choice(0.001,0.01)
"""


def losses(outcome):
    assert outcome.error is None
    return losses_of(outcome)


def losses_of(outcome):
    return outcome.reported["curves"]["train_loss"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def plain(place):
    return run_measured(place, tiny(*STEPS, "probe.steps=1000"), place / "plain")


@pytest.mark.parametrize("knob", ["probe.steps=4", "offload=parameters", "train.accumulate=2"])
def test_measuring_first_leaves_the_training_as_it_was(place, plain, knob):
    """With dropout: random states are as before, to the last digit; metrics of the evaluation, too."""
    never = plain
    if knob != "probe.steps=4":
        never = run_measured(place, tiny(*STEPS, knob, "probe.steps=1000"), place / f"never-{knob}")
    looked = run_measured(
        place, tiny(*STEPS, knob, "probe.steps=4", "probe.evaluation_batches=1"), place / f"first-{knob}"
    )
    assert losses(looked) == losses(never)
    assert looked.reported["measurements"]["accuracy"] == never.reported["measurements"]["accuracy"]
    assert looked.reported["confusion"] == never.reported["confusion"]


def test_a_trial_over_its_budget_ends_after_its_first_timed_steps(place, plain):
    """A budget that the build fits, and the training does not."""
    build, peak = (plain.reported["measurements"][name] for name in ("peak_build_mib", "peak_memory_mib"))
    assert build < 0.9 * peak
    budget = (build + peak) / 2 / 1024
    over = run_measured(place, tiny(*STEPS, "probe.steps=2", f"budget.memory_gib={budget}"), place / "over")
    assert over.error is not None
    assert over.error.reason == "over_budget"
    assert 0 < over.error.violation < 1
    assert len(losses_of(over)) == 5 < len(losses_of(plain)) == 15
    assert over.reported["measurements"]["throughput_samples_per_s"] > 0, "what it has measured is known"


def test_what_bears_on_cost_alone_learns_the_same(place, plain):
    """Keys that are exempt from the quality at once, those of knobs apart (test_invariance.py)."""
    exempt = ("data.workers=1", "data.in_memory=false", "train.untimed_steps=5", "train.max_steps=10")
    other = run_measured(place, tiny(*STEPS, *exempt, "probe.steps=3", "budget.memory_gib=60"), place / "costs")
    # Steps that are not timed compute with one thread.
    learned, expected = ([loss for _, loss in losses(outcome)] for outcome in (other, plain))
    assert learned == pytest.approx(expected, rel=1e-4)
    accuracies = [outcome.reported["measurements"]["accuracy"] for outcome in (other, plain)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=1e-3)


def test_what_bears_on_quality_alone_costs_the_same(place, plain):
    """All keys that are exempt from the cost at once: the same steps, to the byte and the operation."""
    exempt = ("train.lr=0.05", "train.seed=7", "schedule=linear", "optimizer.weight_decay=0.3", "tuning.alpha_ratio=4")
    more = ("optimizer.betas=[0.5,0.6]", "optimizer.decay_all=true", "tuning.use_rslora=true")
    more += ("train.max_steps=20", "train.count_flops=true")
    counted = run_measured(place, tiny(*STEPS, "train.count_flops=true"), place / "counted")
    other = run_measured(place, tiny(*STEPS, *exempt, *more), place / "other")
    names = ("flops_per_step", "weight_bytes", "gradient_bytes", "optimizer_bytes", "trainable_parameters")
    first, second = (outcome.reported["measurements"] for outcome in (counted, other))
    assert {name: first[name] for name in names} == {name: second[name] for name in names}
    assert second["peak_memory_mib"] == pytest.approx(first["peak_memory_mib"], rel=0.05)
    assert losses(other) != losses(counted)


def results(home, study):
    folders = sorted((home / "results" / study / "trials").glob("[0-9]*"), key=lambda folder: int(folder.name))
    return [json.loads((folder / "result.json").read_text()) for folder in folders]


def logged(home, study):
    """What each trial's process did, by its log."""
    logs = (home / "results" / study / "trials").glob("[0-9]*/log.txt")
    return [
        line for log in logs for line in log.read_text().splitlines() if line.startswith(("training for", "probing"))
    ]


def undisturbed_costs(results, known=frozenset()):
    """The cost keys that are known once these have run; none was measured that was known before it.

    On a busy machine a measurement may be disturbed: it is made again by the next trial of its key. A training is timed
    whatever is known of its cost.
    """
    known = set(known)
    for result in results:
        if result["cost_from"]:
            assert result["cost_key"] in known
            continue
        assert result["cost_key"] not in known or not result["accuracy_from"], "measured twice"
        if not result["measurements"].get("disturbed"):
            known.add(result["cost_key"])
    return known


def test_a_study_trains_once_per_mathematics_and_finds_the_same(home, cli):
    (home / "search_spaces").unlink()
    (home / "search_spaces").mkdir()
    (home / "search_spaces" / "grid.yaml").write_text(SPACE)
    grid = ("-m", "search_spaces=grid", "hydra/sweeper/sampler=grid", "study.n_trials=8", "study.test=false")
    arguments, last = (*grid, *SMALL, "decoder=linear", "study.keep_weights=all"), "study.n_trials=1"
    for more in (("study.name=every", "reuse=off"), ("study.name=once",)):
        run = cli(*arguments, *more)
        assert run.returncode == 0, run.stderr
    every, once = results(home, "every"), results(home, "once")
    by_settings = {json.dumps(r["searched"], sort_keys=True): r["measurements"]["accuracy"] for r in every}
    assert len(by_settings) == len(once) == 8
    for result in once:
        known = by_settings[json.dumps(result["searched"], sort_keys=True)]
        assert result["measurements"]["accuracy"] == pytest.approx(known, abs=1e-6)
    distinct, trained = {r["quality_key"] for r in once}, [r for r in once if not r["accuracy_from"]]
    assert len(distinct) == 2
    assert len({r["cost_key"] for r in once}) == 4
    assert len({round(accuracy, 6) for accuracy in by_settings.values()}) == 2, "the learning rate bears on it"
    ran = [line.split()[0] for line in logged(home, "once")]
    assert ran.count("training") == len(trained) == len(distinct)
    assert ran.count("probing") == sum(bool(r["accuracy_from"] and not r["cost_from"]) for r in once)
    quiet = undisturbed_costs(once)
    assert [line.split()[0] for line in logged(home, "every")] == ["training"] * 8
    assert all(r["cost_key"] and not r["accuracy_from"] for r in every)
    for result in once:
        assert any((home / "results" / "once" / "trials" / str(result["number"]) / "weights").iterdir())
    # What another study knows is known, and a share of it is trained all the same.
    assert cli(*arguments, "study.name=shared", "reuse.studies=[once]").returncode == 0
    assert cli(*arguments, "study.name=verified", "reuse.studies=[once]", "reuse.verify=1", last).returncode == 0
    shared, verified = results(home, "shared"), results(home, "verified")
    assert all(r["accuracy_from"].startswith("once/") for r in shared)
    assert all(r["cost_from"].startswith("once/") for r in shared if r["cost_key"] in quiet)
    undisturbed_costs(shared, quiet)
    assert len(logged(home, "shared")) == sum(not r["cost_from"] for r in shared)
    assert (home / "results" / "shared" / "pareto.csv").read_text().count("\n") > 1
    assert [line.split()[0] for line in logged(home, "verified")] == ["training"]
    source = once[int(verified[0]["verifies"].removeprefix("once/"))]
    assert verified[0]["measurements"]["accuracy"] == pytest.approx(source["measurements"]["accuracy"], abs=1e-6)
