"""Every kind of model trains by the same code, ships as a checkpoint, and has a card; so does one
that is added by a module, a row and a recipe."""

import re
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from proof.shipped import golden_studies
from torch import nn

import agmpk.forecasting.forecaster
from agmpk.forecasting import load_forecaster
from agmpk.models import registry
from agmpk.models.heads import Network, normal
from agmpk.models.registry import MODELS, NETWORKS, Row, build_model, load_checkpoint
from agmpk.prior.config import load_prior
from agmpk.training.checkpoint import save_checkpoint
from agmpk.training.config import load_training_config, recipes
from agmpk.training.data import part_generator, training_batch
from agmpk.training.run import train, train_together, trained_model


@pytest.fixture(scope="module")
def runs(recipe, tmp_path_factory):
    """All kinds, trained two steps on one stream."""
    folder = tmp_path_factory.mktemp("runs")
    train_together({folder / k: recipe(k, steps=2, validate_every=2) for k in NETWORKS}, workers=0)
    return folder


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_kind_trains_and_ships(kind, runs, tmp_path):
    model = trained_model(runs / kind)
    assert model.kind == kind and kind in recipes()
    torch.manual_seed(0)
    before = build_model(kind, model.config).state_dict()
    assert any(not torch.equal(before[k], v) for k, v in model.state_dict().items())
    save_checkpoint(model, runs / kind, tmp_path / "checkpoint", half=False)
    again = load_checkpoint(tmp_path / "checkpoint", kind)
    assert again.kind == kind and again.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    card = (tmp_path / "checkpoint" / "CARD.md").read_text()
    assert f"Model card: {kind}" in card and MODELS[kind].sentence in card
    assert ("never the other individuals" in card) == (not MODELS[kind].sees_study)
    assert ("virtual individuals" in card) == model.generates
    assert re.search(r"90 % intervals cover \d", card)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_loss_knows_no_randomness_but_the_generators(kind, recipe):
    config = recipe(kind)
    torch.manual_seed(4)
    model = build_model(kind, config.model)
    with torch.no_grad():  # some layers start at zero; make every weight count
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape))
    part = training_batch(config, load_prior(config.prior), 0)[1]
    found = []
    for state, step in ((1, 0), (2, 0), (3, 1)):
        torch.manual_seed(state)
        with torch.no_grad():
            found.append(float(model.loss(part, part_generator(config.seed, step, 1))))
    assert found[0] == found[1]
    if kind in ("flow", "diffusion", "aicmet"):
        assert found[0] != found[2]


# A rival of one's own: what its module would hold ...


@dataclass(frozen=True)
class LevelConfig:
    """``sd`` of ln y at the start."""

    sd: float = 0.5


class LevelModel(Network):
    """A normal law about the naive forecast, whose level and width are learned."""

    kind, generates = "level", True

    def __init__(self, config):
        super().__init__(config)
        self.law = nn.Parameter(torch.tensor([0.5, np.log(config.sd)], dtype=torch.float32))

    def condition(self, task):
        return None

    def _mean(self, task, known):
        return (task.frame.naive + task.frame.reference[:, None, None] + self.law[0]).detach()

    def loss(self, task, generator):
        naive = task.frame.naive + task.frame.reference[:, None, None]
        error = (task.target.logs - naive - self.law[0])[task.asked]
        return (0.5 * (error / self.law[1].exp()).square() + self.law[1]).mean()

    def _draws(self, task, known, samples, generator):
        mean = self._mean(task, known)
        noise = normal((samples, *mean.shape), generator, mean)
        return mean + (self.law[1].exp() * noise).detach()


def test_a_rival_is_one_module_one_row_one_recipe(recipe, tmp_path, monkeypatch):
    """... and here is its row and its recipe."""
    row = Row(
        "#000000",
        "the naive forecast with a level",
        sees_study=True,
        family=False,
        module=lambda: SimpleNamespace(LevelConfig=LevelConfig, LevelModel=LevelModel),
    )
    monkeypatch.setitem(MODELS, "level", row)
    for module in (registry, agmpk.forecasting.forecaster):
        monkeypatch.setattr(module, "NETWORKS", (*NETWORKS, "level"))  # made from the table
    (tmp_path / "level.yaml").write_text(
        f"{{kind: level, prior: {recipe('set').prior}, steps: 4, warmup: 1, parts: 2, targets: 2, "
        "rate: 0.1, validation_studies: 4, save_every: 2}"
    )
    config = load_training_config(tmp_path / "level.yaml")
    model = train(config, tmp_path / "run", workers=0)
    assert 0 < abs(float(model.law[0])) < 0.5  # learned: the naive forecast needs no level
    save_checkpoint(model, tmp_path / "run", tmp_path / "checkpoint")
    assert "level: the naive forecast with a level" in (tmp_path / "checkpoint/CARD.md").read_text()
    forecaster = load_forecaster(tmp_path / "checkpoint")
    study = golden_studies()[0]
    for prefix in (0, 2):
        target = study["7"].prefix(prefix)
        one, again = (
            forecaster.forecast(study.without("7"), target, np.array([5.0, 9.0]), 50, seed=1)
            for _ in range(2)
        )
        assert one.samples.shape == (50, 2) and np.array_equal(one.samples, again.samples)
        assert (one.samples > 0).all() and np.isfinite(one.pred).all()
    assert forecaster.name == "level"
