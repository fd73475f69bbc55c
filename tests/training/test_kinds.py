"""Every kind of model trains by the same code, ships as a checkpoint, and has a card."""

from dataclasses import replace

import pytest
import torch
from agmpk.training.batches import batches, training_batch
from agmpk.training.step import part_loss

from agmpk.errors import AgmpkError
from agmpk.models.registry import MODELS, build_model, model_config
from agmpk.prior.config import load_prior
from agmpk.training.checkpoint import load_checkpoint, save_checkpoint
from agmpk.training.config import TrainingConfig, load_training_config
from agmpk.training.run import train


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_trains_and_ships(kind, tmp_path):
    config = load_training_config(f"{kind}-tiny").with_changes(
        steps=2, validate_every=2, validation_studies=1
    )
    assert config.kind == kind and load_training_config(kind).kind == kind
    assert TrainingConfig.from_dict(config.to_dict()) == config
    model = train(config, tmp_path / "run", workers=0)
    before = build_model(kind, config.model).state_dict()
    assert any(not torch.equal(before[k], v) for k, v in model.state_dict().items())
    save_checkpoint(model, tmp_path / "run", tmp_path / "checkpoint", half=False)
    again = load_checkpoint(tmp_path / "checkpoint", kind)
    assert again.kind == kind and again.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    card = (tmp_path / "checkpoint" / "CARD.md").read_text()
    assert f"Model card: {kind}" in card and "2 steps of 64 studies" in card
    assert ("never the other individuals" in card) == (kind in ("transformer", "node"))


@pytest.mark.parametrize("kind", MODELS)
def test_the_loss_knows_no_randomness_but_the_generators(kind):
    config = load_training_config(f"{kind}-tiny")
    torch.manual_seed(4)
    model = build_model(kind, config.model)
    with torch.no_grad():  # some layers start at zero; make every weight count
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape))
    part = training_batch(config, load_prior(config.prior), 0)[1]
    found = []
    for state, step in ((1, 0), (2, 0), (3, 1)):
        torch.manual_seed(state)
        found.append(float(part_loss(config, model, part, step, 1).detach()))
    assert found[0] == found[1]
    if kind in ("flow", "diffusion", "aicmet"):
        assert found[0] != found[2]


def test_workers_change_no_digit():
    config = TrainingConfig(steps=3)
    prior = load_prior(config.prior)
    streams = [list(batches(config, prior, 1, workers)) for workers in (0, 1)]
    assert len(streams[0]) == len(streams[1]) == 2
    for here, there in zip(*streams, strict=True):
        for one, other in zip(here, there, strict=True):
            for name in one.__dataclass_fields__:
                assert torch.equal(getattr(one, name), getattr(other, name)), name
    different = training_batch(replace(config, seed=1), prior, 1)[0]
    assert not torch.equal(different.target_logs, streams[0][0][0].target_logs)


def test_bad_settings_are_refused():
    with pytest.raises(AgmpkError, match="no model of kind 'flw'"):
        TrainingConfig(kind="flw")
    with pytest.raises(AgmpkError, match="no precision 'fp8'"):
        TrainingConfig(precision="fp8")
    with pytest.raises(AgmpkError, match="at least one step"):
        TrainingConfig(steps=0)
    with pytest.raises(AgmpkError, match="settings of a flow cannot be read"):
        TrainingConfig(model={"depth": 3})
    with pytest.raises(AgmpkError, match="FlowConfig does not configure a node"):
        TrainingConfig(kind="node", model=model_config("flow", {}))
