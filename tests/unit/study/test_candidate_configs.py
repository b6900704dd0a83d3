"""A candidate's configuration is that which a trial would have, with what its data tell."""

from terrasweep.study import candidate_configs
from terrasweep.study.candidate_configs import CandidateConfigs
from terrasweep.study.search_space import parse_space
from tests.composing import compose_trial

SPACE = parse_space({"train.batch_size": "choice(2, 4)", "decoder": "choice(linear, unet)"}, [])


class Composer:
    """Composes without Hydra's loader."""

    def compose_trial(self, searched):
        return compose_trial(*searched)


def test_what_the_data_tell_is_found_once_and_stands_in_each(monkeypatch):
    asked = []

    def with_data(config):
        asked.append(config)
        return compose_trial("data.tile_px=96")

    monkeypatch.setattr(candidate_configs, "with_data_seen", with_data)
    configs = CandidateConfigs(SPACE, Composer(), lambda values: [])
    small, large = (configs({"train.batch_size": batch, "decoder": "linear"}) for batch in (2, 4))
    assert (small.train.batch_size, large.train.batch_size) == (2, 4)
    assert small.data.tile_px == large.data.tile_px == 96
    assert len(asked) == 1


def test_what_the_rules_forbid_or_nobody_has_looked_at_has_none(monkeypatch):
    seen = []
    monkeypatch.setattr(candidate_configs, "with_data_seen", lambda config: seen[0] if seen else None)
    configs = CandidateConfigs(SPACE, Composer(), lambda values: ["no"] if values["train.batch_size"] == 2 else [])
    assert configs({"train.batch_size": 2, "decoder": "linear"}) is None
    assert configs({"train.batch_size": 4, "decoder": "linear"}) is None
    seen.append(compose_trial())
    assert configs({"train.batch_size": 4, "decoder": "linear"}) is not None, "it was looked at meanwhile"
