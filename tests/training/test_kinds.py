"""Every kind of model trains by the same code, ships as a checkpoint, and has a card; so does one
that is added by a module, a row and a recipe."""

import json
import re
from dataclasses import dataclass
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from proof.shipped import golden_studies
from torch import nn

import agmpk.forecasting.forecaster
from agmpk.book.plots import COLOURS
from agmpk.book.plots_studies import compound_figure
from agmpk.errors import AgmpkError
from agmpk.evaluation.compare import by_compound, evaluate
from agmpk.forecasting import load_forecaster
from agmpk.models import registry
from agmpk.models.heads import GaussianNetwork, Network, normal
from agmpk.models.own_frame import OwnModel
from agmpk.models.registry import MODELS, NETWORKS, Row, build_model, load_checkpoint
from agmpk.prior.config import load_prior
from agmpk.training.checkpoint import save_checkpoint, write_card
from agmpk.training.config import load_training_config, recipes
from agmpk.training.data import part_generator, training_batch
from agmpk.training.folder import run_config
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
class OwnLevelConfig:
    """``sd`` of ln y at the start."""

    sd: float = 0.5


class OwnLevelModel(Network):
    """A normal law about the naive forecast, whose level and width are learned."""

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


RECIPE = """
{kind: own_level, prior: PRIOR, steps: 4, warmup: 1, parts: 2, targets: 2, rate: 0.1,
 validation_studies: 4, save_every: 2}
"""


@pytest.fixture
def rival(recipe, tmp_path, monkeypatch):
    """Put a rival into the table of models, and what is made from it: its recipe.  Each part may be
    another."""

    def add(network=OwnLevelModel, config=OwnLevelConfig, **changes):
        module = SimpleNamespace(OwnLevelConfig=config, OwnLevelModel=network)
        facts = {"sentence": "the naive forecast with a level", "module": lambda: module} | changes
        row = Row("#123456", **facts)
        monkeypatch.setitem(MODELS, "own_level", row)
        networks = tuple(kind for kind, row in MODELS.items() if row.module)
        for user in (registry, agmpk.forecasting.forecaster):
            monkeypatch.setattr(user, "NETWORKS", networks)
        monkeypatch.setitem(COLOURS, "own_level", row.colour)
        file = tmp_path / "own_level.yaml"
        file.write_text(RECIPE.replace("PRIOR", recipe("set").prior))
        return file

    return add


def test_a_rival_is_one_module_one_row_one_recipe(rival, tmp_path):
    """It is trained, saved, loaded, asked, benchmarked and drawn."""
    config = load_training_config(rival())
    model = train(config, tmp_path / "run", workers=0)
    assert 0 < abs(model.law[0].item()) < 0.5  # learned: the naive forecast needs no level
    save_checkpoint(model, tmp_path / "run", tmp_path / "own_level")
    card = (tmp_path / "own_level/CARD.md").read_text()
    assert "own_level: the naive forecast with a level" in card and "virtual individuals" in card
    forecaster = load_forecaster(tmp_path / "own_level")
    study = golden_studies()[0]
    for prefix in (0, 2):
        target = study["7"].prefix(prefix)
        one, again = (
            forecaster.forecast(study.without("7"), target, np.array([5.0, 9.0]), 50, seed=1)
            for _ in range(2)
        )
        assert one.samples.shape == (50, 2) and np.array_equal(one.samples, again.samples)
        assert (one.samples > 0).all() and np.isfinite(one.pred).all()
    assert forecaster.name == "own_level"

    naive = load_forecaster("naive")
    found = evaluate([naive, forecaster], {"mine": study}, n_samples=20)
    table = by_compound(found.results)
    assert list(table) == ["naive", "own_level"] and 0 < table.loc["mine", "own_level"] < 1
    figure = compound_figure(found.scored)
    lines = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert lines["own_level"] == "#123456" and lines["naive"] == MODELS["naive"].colour
    plt.close(figure)


def test_a_rival_without_the_study_generates_nobody(rival, tmp_path):
    """One fact in its row; the card and the forecasts obey it."""
    config = load_training_config(rival(sees_study=False))
    model = train(config.with_changes(steps=1), tmp_path / "run", workers=0)
    save_checkpoint(model, tmp_path / "run", tmp_path / "own_level")
    card = (tmp_path / "own_level/CARD.md").read_text()
    assert "virtual individuals" not in card and "never the other individuals" in card
    study = golden_studies()[0]
    with pytest.raises(AgmpkError, match="observation"):
        load_forecaster(tmp_path / "own_level").forecast(
            study.without("7"), study["7"].prefix(0), np.array([5.0]), 5, seed=1
        )
    # A flow that is trained without the study is one of them.
    file = tmp_path / "own_level/checkpoint.json"
    assert json.loads(file.read_text())["model"] == run_config(tmp_path / "run").kind
    about = json.loads(file.read_text()) | {"model": "flow", "size": {"use_context": False}}
    file.write_text(json.dumps(about))
    assert "virtual individuals" not in write_card(tmp_path / "own_level")


def without(name: str) -> type:
    """The rival's network, but for one of its methods."""
    methods = {key: value for key, value in vars(OwnLevelModel).items() if key != name}
    return type("OwnLevelModel", (Network,), methods)


@pytest.mark.parametrize(
    "parts, words",
    [
        *(({"network": without(m)}, f"OwnLevelModel lacks {m}") for m in ("loss", "condition")),
        *(({"network": without(m)}, f"OwnLevelModel lacks {m}") for m in ("_draws", "_mean")),
        ({"network": type("N", (GaussianNetwork,), {})}, "OwnLevelModel lacks law"),
        ({"network": type("N", (OwnModel,), {})}, "OwnLevelModel lacks forward"),
        (
            {"network": type("N", (GaussianNetwork,), {"law": print})},
            "OwnLevelConfig lacks beta, temperature, which",
        ),
        ({"network": nn.Linear}, r"lacks its network, OwnLevelModel\(Network\)"),
        ({"network": None}, "lacks its network"),
        ({"config": None}, "lacks its configuration, dataclass OwnLevelConfig"),
        ({"config": dict}, "lacks its configuration"),
        ({"module": None}, "its row names no module"),
    ],
)
def test_what_a_rival_lacks_is_said_when_its_recipe_is_read(parts, words, rival):
    file = rival(**parts)
    with pytest.raises(AgmpkError, match=words) as caught:
        load_training_config(file)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    "facts, words",
    [
        ({}, "colour ''"),
        ({"sentence": "a rival"}, r"\(a rival\) has the colour ''"),
        ({"colour": "black-ish", "sentence": "a rival"}, "'black-ish': write one as #rrggbb"),
        ({"colour": "#12345", "sentence": "a rival"}, "'#12345'"),
        ({"colour": "#123456"}, "#123456 has no sentence"),
        ({"colour": "#123456", "sentence": " "}, "#123456 has no sentence"),
    ],
)
def test_what_a_row_lacks_is_said_when_it_is_read(facts, words):
    with pytest.raises(AgmpkError, match=words):
        Row(**facts)
