"""The necks that are given, or those that bring a backbone's features to what the decoder takes."""

from terrasweep.models.encoder import build_encoder
from terrasweep.models.factory_arguments import necks
from tests.composing import compose_trial


def test_given_necks_win_over_derived_ones():
    def names(*overrides):
        config = compose_trial(*overrides)
        return [neck["name"] for neck in necks(config, build_encoder(config)[1])]

    derived = ["SelectIndices", "ReshapeTokensToImage", "LearnedInterpolateToPyramidal"]
    assert names("decoder=unet") == derived
    assert names("decoder=fcn") == derived[:2]
    assert names("decoder=unet", "neck.modules=[{name: SelectIndices, indices: [3]}]") == ["SelectIndices"]
