"""A model that has learnt something, without a trainer around it."""

import os

import torch

CLASSES = 3
CPU = torch.device("cpu")


def images(batch=2, seed=1):
    return torch.randn(batch, 6, 64, 64, generator=torch.Generator().manual_seed(seed))


def train(model, steps=3):
    """Some steps at a rate that moves every parameter that learns by far."""
    learning = [p for p in model.module.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in learning]
    optimizer = torch.optim.AdamW(learning, lr=0.05)
    model.module.train()
    for step in range(steps):
        optimizer.zero_grad()
        model.module(images(seed=step)).output.square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, learning, strict=True))


@torch.no_grad()
def outputs(module, precision="fp32"):
    """Of a fixed batch, in evaluation mode."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        return module.eval()(images()).output


def measure_and_look(report, home, config, folder):
    """In a child: measure a trial, and keep what its model predicts at the moment when it is saved."""
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.trial import after_measuring, measure_in_child

    save = after_measuring.save_weights

    def look_and_save(trial, model, num_classes):
        torch.save(outputs(model.module, config.precision.name), folder / "outputs.pt")
        types = {str(parameter.dtype) for parameter in model.module.parameters()}
        (folder / "types.txt").write_text("\n".join(sorted(types)))
        save(trial, model, num_classes)

    after_measuring.save_weights = look_and_save
    measure_in_child.prepare(lambda **_: None, config)
    measure_in_child.measure(report, config, folder)


def measure_on_a_full_disk(report, home, config, folder):
    """In a child: measure a trial whose weights can't be written."""
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.models import trained_weights
    from terrasweep.trial import measure_in_child

    def fail(*_):
        raise OSError("No space left on device")

    trained_weights.save_file = fail
    measure_in_child.prepare(lambda **_: None, config)
    measure_in_child.measure(report, config, folder)
