"""Training: resumes exactly after a kill, learns, ships safe checkpoints."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml
from agmpk.training.batches import training_batch
from agmpk.training.step import gradients
from safetensors.torch import load_file, save_file

from agmpk.errors import AgmpkError
from agmpk.files import sha256
from agmpk.forecasting import load_forecaster
from agmpk.models.registry import build_model
from agmpk.models.transport_model import FlowConfig
from agmpk.prior.config import load_prior
from agmpk.training.checkpoint import load_checkpoint, save_checkpoint
from agmpk.training.config import TrainingConfig, learning_rate, load_training_config, recipes
from agmpk.training.processes import Processes
from agmpk.training.run import train, trained_model

SMALL = TrainingConfig(
    model=FlowConfig(16, 1, 1),
    steps=6,
    warmup=2,
    validate_every=3,
    save_every=2,
    validation_studies=4,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(SMALL, folder), folder


@pytest.fixture
def checkpoint(finished, tmp_path):
    model, folder = finished
    save_checkpoint(model, folder, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def losses(folder) -> list[str]:
    """step, loss and gradient norm as they stand in the file; the seconds differ between runs."""
    with (folder / "steps.csv").open() as stream:
        return [(row["step"], row["loss"], row["gradient"]) for row in csv.DictReader(stream)]


def test_a_killed_run_ends_like_an_uninterrupted_one(finished, tmp_path):
    model, folder = finished
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(SMALL.to_dict()))
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-c",
        "import sys; from agmpk.training.run import train;"
        "from agmpk.training.config import load_training_config as l;"
        "from pathlib import Path; train(l(sys.argv[1]), Path(sys.argv[2]))",
        str(config),
        str(run),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, env=environment)
    until = time.monotonic() + 120
    while not (run / "state.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL  # killed, not finished
    resumed = train(SMALL, run, workers=0)
    assert losses(run) == losses(folder)
    for name, value in model.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    for name in ("state.safetensors", "validation.csv"):
        assert (run / name).read_bytes() == (folder / name).read_bytes()


def test_other_settings_are_not_mixed_into_a_run(finished):
    with pytest.raises(AgmpkError, match="other settings"):
        train(TrainingConfig(model=FlowConfig(16, 1, 1), steps=7), finished[1])


def test_a_changed_prior_is_not_mixed_into_a_run(tmp_path):
    preset, changed = load_prior("extended"), tmp_path / "prior.yaml"
    changed.write_text(yaml.safe_dump(preset.to_dict()))
    config = SMALL.with_changes(prior=str(changed), steps=1)
    train(config, tmp_path / "run", workers=0)
    other = preset.replace(assay={"lloq_probability": 0.123})
    changed.write_text(yaml.safe_dump(other.to_dict()))
    with pytest.raises(AgmpkError, match="has changed since the run"):
        train(config, tmp_path / "run", workers=0)
    model = trained_model(config, tmp_path / "run")
    save_checkpoint(model, tmp_path / "run", tmp_path / "checkpoint")
    kept = json.loads((tmp_path / "checkpoint" / "checkpoint.json").read_text())["prior"]
    assert kept["assay"]["lloq_probability"] == preset.assay.lloq_probability != 0.123


def test_a_few_steps_reduce_the_loss(tmp_path):
    config = TrainingConfig(
        prior="extended",
        model=FlowConfig(32, 1, 1),
        steps=12,
        warmup=3,
        cooldown=0.2,
        rate=1e-2,
        ema=0.7,
        validate_every=12,
        save_every=12,
        validation_studies=2,
    )
    parts = training_batch(config, load_prior(config.prior), 1_000_000)

    def held_out(model) -> float:
        return gradients(config, model, parts, 0, Processes())

    untrained = build_model(config.kind, config.model)
    assert held_out(train(config, tmp_path)) < 0.95 * held_out(untrained)


def test_learning_rate_warms_up_and_cools_down():
    config = TrainingConfig(steps=100, warmup=10, cooldown=0.5, rate=1.0)
    rates = [learning_rate(config, k) for k in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0 == rates[50]
    assert rates[75] == pytest.approx(0.5) and rates[99] == pytest.approx(0.02)


def test_recipes_are_read_and_unknown_settings_refused(tmp_path):
    for name in recipes():
        assert load_training_config(name).steps > 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("stepz: 3")
    with pytest.raises(AgmpkError, match="does not know stepz"):
        load_training_config(bad)
    with pytest.raises(AgmpkError, match="no training recipe 'nothing'"):
        load_training_config("nothing")


def test_a_checkpoint_comes_back_and_predicts_the_same(finished, checkpoint):
    model = finished[0]
    again = load_checkpoint(checkpoint)
    for name, value in model.state_dict().items():
        assert torch.allclose(value, again.state_dict()[name], rtol=2e-3, atol=2e-4)
    assert load_forecaster(checkpoint).name == "flow"


def test_a_missing_device_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(AgmpkError, match="no device 'cuda'"):
        train(SMALL, tmp_path, device="cuda")


def resign(folder) -> None:
    """Write fitting digests, so that the check behind them is reached."""
    names = ("weights.safetensors", "checkpoint.json")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256(folder / n)}  {n}\n" for n in names))


def test_damaged_checkpoints_are_refused(checkpoint):
    weights = checkpoint / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(AgmpkError, match="damaged"):
        load_checkpoint(checkpoint)
    weights.write_bytes(data[:100])
    resign(checkpoint)
    with pytest.raises(AgmpkError, match="does not fit"):
        load_checkpoint(checkpoint)
    weights.unlink()
    with pytest.raises(AgmpkError, match="lacks weights"):
        load_checkpoint(checkpoint)


def test_a_checkpoint_with_a_missing_weight_is_refused(checkpoint):
    weights = load_file(checkpoint / "weights.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, checkpoint / "weights.safetensors")
    resign(checkpoint)
    with pytest.raises(AgmpkError, match="does not fit its configuration"):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": 99}, "format 99"),
        ({"format": 1}, "format 1 and this version of agmpk reads format 2"),
        ({"model": "aicmet"}, "holds a 'aicmet' model, not a 'flow' model"),
    ],
)
def test_other_formats_and_models_are_refused(checkpoint, change, words):
    file = checkpoint / "checkpoint.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    resign(checkpoint)
    with pytest.raises(AgmpkError, match=words):
        load_checkpoint(checkpoint, "flow")
