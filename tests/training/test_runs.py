"""A run: its settings, its folder, its schedule, its optimizers, and what it refuses."""

import json
import math
import shutil
from types import SimpleNamespace

import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import load_file

from agmpk.cli.train import train as command
from agmpk.errors import AgmpkError
from agmpk.files import data_path, only_one
from agmpk.forecasting import load_forecaster
from agmpk.models.registry import NETWORKS, build_model
from agmpk.models.transport import FlowModel
from agmpk.prior.config import load_prior
from agmpk.store import digest
from agmpk.training import folder as run_folder
from agmpk.training import run as run_module
from agmpk.training.config import TrainingConfig, load_training_config, rate_factor, recipes
from agmpk.training.data import part_generator, training_batch
from agmpk.training.folder import load_state, start_folder
from agmpk.training.optimizer import Muon, Optimizers, inner_matrices, orthogonalized
from agmpk.training.processes import Processes
from agmpk.training.run import Learner, part_weights, train, train_together, trained_model


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """A finished run whose state is in several files, with snapshots."""
    config = recipe("flow", snapshots=(3, 6))
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "SHARD", 100_000)
        model = train(config, folder, workers=0)
    return config, folder, model


def copy(folder, to):
    shutil.copytree(folder, to)
    return to


def column(folder, name):
    """A column of steps.csv as it stands there."""
    head, *rows = (line.split(",") for line in (folder / "steps.csv").read_text().splitlines())
    return [row[head.index(name)] for row in rows]


# Settings


def test_every_shipped_recipe_is_read():
    for name in recipes():
        config = load_training_config(name)
        assert name.split("-")[0] == config.kind
        assert TrainingConfig.from_dict(yaml.safe_load(config.to_yaml())) == config
        assert config.prior == "clinic" and load_prior(config.prior)
    assert {f"{kind}-tiny" for kind in NETWORKS} | set(NETWORKS) <= set(recipes())


def test_bad_settings_are_refused(tmp_path):
    for values, words in (
        ({"kind": "flw"}, "no model of kind 'flw'"),
        ({"precision": "fp8"}, "precision must be one of fp32"),
        ({"optimizer": "sgd"}, "optimizer must be one of muon"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"rate": "high"}, "rate must be a number"),
        ({"cooldown": 0.0}, "share between 0 and 1"),
        ({"model": {"depth": 3}}, "configuration of a flow does not know depth"),
        ({"model": {"width": "wide"}}, "width must be a whole number"),
        ({"model": {"width": 16}}, "width must be a multiple of 32, .* not 16"),
        ({"model": {"width": -3}}, "width must be a multiple of 32"),
        ({"model": {"sample_width": 65}}, "sample_width must be a multiple of 32"),
        ({"model": {"decoder_layers": 0}}, "decoder_layers must be at least 1"),
        ({"model": {"process": "grey"}}, "process must be one of study, fixed, white"),
        ({"kind": "node", "model": {"latent": 0}}, "latent must be at least 1"),
        ({"save_every": 0}, "save_every must be at least 1"),
        ({"frozen": ["network"]}, "frozen stays as it began: name in start"),
    ):
        with pytest.raises(AgmpkError, match=words):
            TrainingConfig.from_dict(values)
        if "kind" not in values:
            with pytest.raises(AgmpkError, match=words):
                TrainingConfig().with_changes(**values)
    bad = tmp_path / "bad.yaml"
    for text, words in (
        ("stepz: 3", "does not know stepz"),
        ("- 3", "must be a mapping"),
        ("steps: [", "is not valid YAML"),
    ):
        bad.write_text(text)
        with pytest.raises(AgmpkError, match=words):
            load_training_config(bad)
    with pytest.raises(AgmpkError, match="no training recipe 'nothing'"):
        load_training_config("nothing")


def test_the_rate_warms_up_stays_and_cools_down():
    config = TrainingConfig(steps=100, warmup=10, cooldown=0.5)
    rates = [rate_factor(config, k, 50, 100) for k in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0 == rates[50]
    assert rates[75] == pytest.approx(0.5) and rates[99] == pytest.approx(0.02)
    assert rates[100] == 0.0


# Optimizers


def test_muon_steps_along_nearly_the_polar_factor():
    torch.manual_seed(0)
    square = torch.linalg.qr(torch.randn(3, 24, 24))[0] * torch.linspace(0.1, 1, 24)
    for matrices in (square, torch.randn(3, 16, 48), torch.randn(3, 48, 16)):
        rows, columns = matrices.shape[1:]
        found = orthogonalized(matrices)
        values = torch.linalg.svdvals(found)
        assert 0.6 < values.min() and values.max() < 1.3
        left, _, right = torch.linalg.svd(matrices, full_matrices=False)
        polar = left @ right
        # Same singular vectors: the product with the polar factor is symmetric and positive.
        product = found @ polar.mT if rows <= columns else polar.mT @ found
        assert torch.allclose(product, product.mT, atol=2e-3)
        assert torch.linalg.eigvalsh((product + product.mT) / 2).min() > 0.6


def test_matrices_step_the_same_alone_or_together():
    torch.manual_seed(1)
    start = [torch.randn(8, 12) for _ in range(3)] + [torch.randn(12, 8)]
    slopes = [[torch.randn_like(p) for p in start] for _ in range(3)]

    def after(groups):
        """The matrices after three steps, with one optimizer a group."""
        matrices = [torch.nn.Parameter(p.clone()) for p in start]
        optimizers = [Muon([matrices[i] for i in group], 0.01, 0.1) for group in groups]
        for grads in slopes:
            for p, grad in zip(matrices, grads, strict=True):
                p.grad = grad.clone()
            for optimizer in optimizers:
                optimizer.step()
        return matrices

    for together, alone in zip(after([range(4)]), after([[0], [1], [2], [3]]), strict=True):
        assert torch.allclose(together, alone, atol=1e-6)
        assert not torch.allclose(together, start[0] if together.shape == (8, 12) else start[3])


def test_every_parameter_has_one_optimizer():
    for kind in NETWORKS:
        config = load_training_config(f"{kind}-tiny")
        model = build_model(kind, config.model)
        parts = Optimizers(model, config).parts
        owned = [p for part in parts for group in part.param_groups for p in group["params"]]
        assert len(owned) == len({id(p) for p in owned}) == len(list(model.parameters()))
        assert bool(inner_matrices(model)) == (len(parts) == 2)
    assert len(Optimizers(model, config.with_changes(optimizer="adamw")).parts) == 1


# The folder and its state


def test_the_state_of_a_finished_run_gives_its_model(finished):
    config, folder, model = finished
    again = trained_model(folder)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert column(folder, "step") == [str(k) for k in range(1, 7)]
    assert len(list(folder.glob("state-6-*.safetensors"))) > 2
    assert not list(folder.glob("state-4-*"))
    assert json.loads((folder / "plateau.json").read_text())["step"] == 4


def test_snapshots_are_the_averages_of_their_moment(finished):
    _, folder, model = finished
    last, early = (load_file(folder / f"snapshot-{k}.safetensors") for k in (6, 3))
    assert any(not torch.equal(early[name], last[name]) for name in last)
    for name, value in model.state_dict().items():
        assert torch.equal(last[name], value.half())


def test_other_settings_and_a_changed_prior_are_not_mixed_into_a_run(finished, tmp_path):
    config, folder, _ = finished
    for changes in ({"rate": 2e-3}, {"parts": 1}, {"seed": 1}, {"model": {"width": 48}}):
        with pytest.raises(AgmpkError, match="other settings"):
            train(config.with_changes(**changes), folder, workers=0)
    run = copy(folder, tmp_path / "run")
    prior = load_prior(config.prior).replace(assay={"lloq_probability": 0.123})
    (run / "prior.yaml").write_text(yaml.safe_dump(prior.to_dict(), sort_keys=False))
    with pytest.raises(AgmpkError, match="has changed since the run"):
        train(config, run, workers=0)
    (run / "prior.yaml").unlink()
    with pytest.raises(AgmpkError, match="has changed since the run"):
        train(config, run, workers=0)


def test_a_quantity_that_came_later_and_is_off_leaves_older_runs_usable(recipe, tmp_path):
    config = recipe("set", steps=2)
    prior = load_prior(config.prior)
    run_folder.prepare(config, prior, tmp_path, "cpu", 1)
    older = prior.to_dict()
    assert not older["dosing"].pop("newborn_probability")  # as it was written before there was one
    (tmp_path / "prior.yaml").write_text(yaml.safe_dump(older, sort_keys=False))
    train(config, tmp_path, workers=0)
    assert train(config.with_changes(steps=4), tmp_path, workers=0)
    other = prior.replace(dosing={"newborn_probability": 0.5})
    with pytest.raises(AgmpkError, match="has changed since the run"):
        run_folder.prepare(config, other, tmp_path, "cpu", 1)


def test_every_damage_of_a_run_is_noticed(finished, tmp_path):
    config, folder, _ = finished
    index = json.loads((folder / "state.json").read_text())
    lines = (folder / "steps.csv").read_text().splitlines(keepends=True)
    flipped = {}
    for name in index["files"]:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        flipped[name] = bytes(data)
    damages = {
        **flipped,
        "state.json": (folder / "state.json").read_bytes()[:-40],
        "steps.csv": "".join(lines[:2] + lines[3:]).encode(),
        "config.yaml": b"- \xff",
    }
    assert len(flipped) > 2
    for number, (name, content) in enumerate(damages.items()):
        run = copy(folder, tmp_path / f"{number}")
        (run / name).write_bytes(content)
        with pytest.raises(AgmpkError, match="remove the run folder"):
            train(config, run, workers=0)
    settings = tmp_path / "twice" / "config.yaml"
    copy(folder, settings.parent)
    settings.write_text(settings.read_text() + "seed: 1\n")
    with pytest.raises(AgmpkError, match="the key 'seed' twice.*: restore it"):
        trained_model(settings.parent)
    run = copy(folder, tmp_path / "none")
    (run / next(iter(flipped))).unlink()
    with pytest.raises(AgmpkError, match="remove the run folder"):
        train(config, run, workers=0)
    with pytest.raises(AgmpkError, match="holds no run"):
        trained_model(tmp_path)


def test_a_folder_holds_one_run_at_a_time(finished):
    config, folder, _ = finished
    with only_one(folder, "a model is being trained"):
        with pytest.raises(AgmpkError, match="a model is being trained by another process"):
            train(config, folder, workers=0)
    train(config, folder, workers=0)


def test_a_missing_device_is_refused(recipe, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(AgmpkError, match="no device 'cuda'"):
        train(recipe("flow"), tmp_path, device="cuda")


# The course of a run


def test_a_few_steps_reduce_the_loss(recipe, tmp_path):
    config = recipe(
        "flow", steps=12, warmup=3, cooldown=0.2, ema=0.7, validate_every=12, save_every=12
    )
    parts = training_batch(config, load_prior(config.prior), 1_000_000)

    @torch.no_grad()
    def held_out(model) -> float:
        losses = [model.loss(part, part_generator(0, 0, k)) for k, part in enumerate(parts)]
        return sum(w * float(loss) for w, loss in zip(part_weights(parts), losses, strict=True))

    torch.manual_seed(config.seed)
    untrained = held_out(build_model("flow", config.model))
    trained = held_out(train(config, tmp_path, workers=0))
    assert 0 < trained < 0.95 * untrained


def test_a_run_can_begin_with_the_weights_of_another(finished, recipe, tmp_path):
    _, folder, model = finished
    learner = Learner(recipe("set", start=str(folder)), tmp_path, Processes())
    own, flow = learner.model.state_dict(), model.state_dict()
    shared = [name for name in flow if name in own and flow[name].shape == own[name].shape]
    assert any(name.startswith("network.") for name in shared) and len(shared) < len(own)
    for name in shared:
        assert torch.equal(own[name], flow[name]) and torch.equal(learner.average[name], own[name])
    for kind, changes, words in (
        ("node", {}, "shares no weights with a node"),
        ("set", {"frozen": ["net"]}, "set has no part net to be frozen: it has network, head"),
        ("set", {"frozen": ["head", "network"]}, "leaves nothing to train"),
        ("set", {"frozen": ["head"]}, "no weights of the size of head.* which is frozen"),
    ):
        with pytest.raises(AgmpkError, match=words):
            Learner(recipe(kind, start=str(folder), **changes), tmp_path, Processes())


def test_the_name_of_a_shipped_checkpoint_means_that_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("flow", "mine"):
        (tmp_path / name).mkdir()
    assert start_folder("flow") == data_path("checkpoints", "flow")
    assert start_folder("./flow").resolve() == tmp_path / "flow"
    assert start_folder("mine").resolve() == tmp_path / "mine"
    with pytest.raises(AgmpkError, match="nothing to start from at yours"):
        start_folder("yours")


def test_frozen_parts_stay_as_they_began(finished, recipe, tmp_path):
    _, folder, model = finished
    config = recipe("set", steps=2, start=str(folder), frozen=["network"])
    trained = train(config, tmp_path, workers=0).state_dict()
    again = train(config.with_changes(steps=5), tmp_path, workers=0).state_dict()
    for name, began in model.state_dict().items():
        if name.startswith("network."):
            assert torch.equal(trained[name], began) and torch.equal(again[name], began)
    assert not torch.equal(trained["head.out.weight"], again["head.out.weight"])


def test_thinned_contexts_keep_the_first_people_in_three_blocks_of_four(recipe):
    config = recipe("set").with_changes(parts=1)
    prior = load_prior(config.prior)
    for step in (0, 1):
        whole = training_batch(config, prior, step)[0].context.mask.any(-1)
        few = training_batch(config.with_changes(thinned=3), prior, step)[0].context.mask.any(-1)
        assert torch.equal(few, whole[:, :3] if step % 4 else whole)


def test_some_studies_end_before_their_targets_do(recipe):
    config = recipe("set").with_changes(parts=1)
    prior = load_prior(config.prior)
    whole, cut = (
        training_batch(config.with_changes(ended_early=share), prior, 0)[0] for share in (0.0, 0.5)
    )
    samples, left = (one.context.mask.sum((1, 2)) for one in (whole, cut))
    ended = left < samples
    assert 0.2 < ended.double().mean() < 0.8
    shares = left[ended] / samples[ended]
    assert 0.2 < shares.min() and shares.max() < 1.0
    # Neither samples nor doses of the others lie after the end, and all before it are there.
    end = torch.where(cut.context.mask, cut.context.times, 0.0).amax((1, 2), keepdim=True)
    places = tuple(slice(n) for n in cut.context.mask.shape)
    before = whole.context.mask & (whole.context.times <= end)
    assert torch.equal(before[places][ended], cut.context.mask[ended])
    assert not (cut.context.dosed & (cut.context.dose_time > end))[ended].any()
    # The targets are asked as ever: of some of these studies at later times than anybody's.
    assert torch.equal(whole.asked, cut.asked) and torch.equal(whole.target.times, cut.target.times)
    latest = torch.where(cut.asked, cut.target.times, 0.0).amax((1, 2))
    assert (latest > end[:, 0, 0])[ended].double().mean() > 0.8


def test_a_time_limited_run_cools_down_and_goes_on_from_its_plateau(recipe, tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def tick(step, loss):
        clock.now += 1.0  # a step takes a second

    config = recipe("set", steps=7, cooldown=0.5, validate_every=50, save_every=50)
    run = tmp_path / "run"
    train(config, run, tick, workers=0, minutes=4 / 60)
    state = load_state(run, "state")[1]
    records = state.pop("records")
    assert set(records) >= {"steps.csv", "prior.yaml"}
    assert state == {"step": 5, "steps": 7, "cool_from": 3, "end": 5}
    assert load_state(run, "plateau")[1]["step"] == 3
    assert column(run, "step") == list("12345")
    assert (run / "validation.csv").read_text().splitlines()[-1].startswith("5,")
    # The same call has nothing left to do; fewer steps than were done at full rate cannot be.
    train(config, run, tick, workers=0)
    assert load_state(run, "state")[1] == state | {"records": records}
    with pytest.raises(AgmpkError, match="3 steps at full rate: ask for at least 6"):
        train(config.with_changes(steps=4), run, workers=0)
    assert trained_model(run) and "steps: 7" in (run / "config.yaml").read_text()
    # More steps: from the plateau, as if it had been asked for from the start.
    further = train(config.with_changes(steps=8), run, workers=0)
    at_once = train(config.with_changes(steps=8), tmp_path / "at once", workers=0)
    for name, value in at_once.state_dict().items():
        assert torch.equal(further.state_dict()[name], value)
    assert column(run, "loss") == column(tmp_path / "at once", "loss")


def test_a_time_limit_on_the_command_line(recipe, tmp_path):
    settings, run, to = (tmp_path / name for name in ("settings.yaml", "run", "checkpoint"))
    settings.write_text(recipe("set", steps=100_000).to_yaml())
    arguments = ["--recipe", settings, "--run", run, "--checkpoint", to, "--minutes", "0.01"]
    done = CliRunner().invoke(command, [str(a) for a in [*arguments, "--workers", "0"]])
    assert done.exit_code == 0, done.output
    state = load_state(run, "state")[1]
    assert 1 <= state["step"] < 10_000 and f"{state['step']} steps done" in done.output
    assert load_forecaster(to).name == "set"


def test_a_step_that_is_not_finite_is_left_out(recipe, tmp_path, monkeypatch):
    loss, calls = FlowModel.loss, []

    def sometimes(self, task, generator):
        calls.append(1)
        return loss(self, task, generator) * (torch.inf if len(calls) == 3 else 1.0)

    monkeypatch.setattr(FlowModel, "loss", sometimes)
    model = train(recipe("flow", steps=4), tmp_path, workers=0)
    assert all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())
    finite = [math.isfinite(float(value)) for value in column(tmp_path, "loss")]
    assert finite == [True, False, True, True]


def test_models_on_one_stream_equal_each_trained_alone(recipe, tmp_path):
    kinds = ("set", "node", "aicmet")
    runs = {tmp_path / "together" / k: recipe(k, steps=3, optimizer="adamw") for k in kinds}
    train_together(runs, workers=0)
    for kind in kinds:
        alone = train(recipe(kind, steps=3, optimizer="adamw"), tmp_path / kind, workers=0)
        both = trained_model(tmp_path / "together" / kind)
        for name, value in alone.state_dict().items():
            assert torch.equal(both.state_dict()[name], value), name
        for name in ("loss", "gradient"):
            found = column(tmp_path / "together" / kind, name)
            assert found == column(tmp_path / kind, name)
    # Killed between the saves of two models: the one behind catches up.
    ahead = {tmp_path / "together" / k: recipe(k, steps=5, optimizer="adamw") for k in kinds}
    first, *_ = ahead
    train(ahead[first], first, workers=0)
    train_together(ahead, workers=0)
    for folder, config in ahead.items():
        assert load_state(folder, "state")[1]["step"] == 5
        assert column(folder, "step") == list("12345") and config.kind == folder.name
    with pytest.raises(AgmpkError, match="do not share a stream"):
        train_together({tmp_path / "a": recipe("flow"), tmp_path / "b": recipe("set", seed=1)})


def test_a_setting_that_came_later_leaves_the_digest_of_older_runs(finished):
    """What a run was saved with before ``block`` and ``views`` existed still fits it."""
    config, folder, _ = finished
    older = config.with_changes(**run_folder.FREE).to_dict()
    assert run_folder.LATER == {name: older.pop(name) for name in run_folder.LATER}
    assert run_folder.records(folder, config.steps)["config.yaml"] == digest(older)
