"""Checkpoints: written after a run, read without the simulator and the trainer, or refused."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from agmpk.errors import AgmpkError
from agmpk.files import sha256
from agmpk.forecasting import load_forecaster
from agmpk.models.registry import FORMAT, load_checkpoint
from agmpk.prior.config import load_prior
from agmpk.training.checkpoint import largest_context, save_checkpoint, write_card
from agmpk.training.data import training_batch
from agmpk.training.run import train


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(recipe("set", steps=2, validate_every=2), folder, workers=0), folder


@pytest.fixture
def checkpoint(run, tmp_path):
    save_checkpoint(*run, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def resign(folder) -> None:
    """Write fitting digests, so that the check behind them is reached."""
    names = ("weights.safetensors", "checkpoint.json")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256(folder / n)}  {n}\n" for n in names))


def refused(folder, words: str, kind: str | None = None) -> None:
    """It is refused, in one sentence."""
    with pytest.raises(AgmpkError, match=words) as caught:
        load_checkpoint(folder, kind)
    assert str(caught.value).count(". ") == 0 and "Traceback" not in str(caught.value)


def test_a_checkpoint_comes_back_in_half_precision(run, checkpoint):
    model, again = run[0], load_checkpoint(checkpoint)
    stored = load_file(checkpoint / "weights.safetensors")
    for name, value in model.state_dict().items():
        assert stored[name].dtype == torch.float16
        assert torch.equal(again.state_dict()[name], value.half().float())
    assert load_forecaster(checkpoint).name == "set"


def test_a_checkpoint_in_single_precision_comes_back_exactly(run, tmp_path):
    save_checkpoint(*run, tmp_path, half=False)
    again = load_checkpoint(tmp_path, "set")
    assert again.config == run[0].config
    for name, value in run[0].state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_flipped_bits_anywhere_are_refused(checkpoint):
    for name in ("weights.safetensors", "checkpoint.json"):
        whole = (checkpoint / name).read_bytes()
        for place in (3, len(whole) // 2, -1):
            data = bytearray(whole)
            data[place] ^= 1
            (checkpoint / name).write_bytes(data)
            refused(checkpoint, f"{name} is damaged")
        (checkpoint / name).write_bytes(whole)
    assert load_checkpoint(checkpoint)


def test_missing_and_empty_files_are_refused(checkpoint):
    sums = (checkpoint / "SHA256SUMS").read_text()
    for text in ("", sums.splitlines()[0], sums.replace("checkpoint.json", "x.json"), "a b c\n"):
        (checkpoint / "SHA256SUMS").write_text(text)
        refused(checkpoint, "does not hold the digests")
    (checkpoint / "SHA256SUMS").write_bytes(b"\xff\xfe\x00")
    refused(checkpoint, "does not hold the digests")
    (checkpoint / "SHA256SUMS").write_text(sums)
    for name in ("SHA256SUMS", "checkpoint.json", "weights.safetensors"):
        (checkpoint / name).rename(checkpoint / "away")
        refused(checkpoint, f"lacks {name}")
        (checkpoint / "away").rename(checkpoint / name)
    # The folder of a run, which is easily taken for a checkpoint.
    (checkpoint / "state.json").touch()
    (checkpoint / "weights.safetensors").unlink()
    refused(checkpoint, "--export --checkpoint")


def test_weights_that_do_not_fit_or_are_no_numbers_are_refused(checkpoint):
    file = checkpoint / "weights.safetensors"
    weights, whole = load_file(file), file.read_bytes()
    first = sorted(weights)[0]
    for value in (torch.nan, torch.inf):
        save_file(weights | {first: torch.full_like(weights[first], value)}, file)
        resign(checkpoint)
        refused(checkpoint, "weights that are no numbers")
    save_file({k: v for k, v in weights.items() if k != first}, file)
    resign(checkpoint)
    refused(checkpoint, "does not fit its configuration")
    file.write_bytes(whole[:100])
    resign(checkpoint)
    refused(checkpoint, "does not fit its configuration")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": 99}, "format 99"),
        ({"format": FORMAT - 1}, f"format {FORMAT - 1} and this version of agmpk reads format"),
        ({"model": "aicmet"}, "holds a 'aicmet' model, not a 'set' model"),
        ({"model": "unheard"}, "does not say which model"),
        ({"size": 3}, "does not say which model"),
        ({"size": {"depth": 3}}, "configuration of a set does not know depth"),
        ("[]", "is no description"),
        ("{", "is no description"),
        ("null", "is no description"),
    ],
)
def test_other_formats_models_and_texts_are_refused(checkpoint, change, words):
    file = checkpoint / "checkpoint.json"
    if isinstance(change, dict):
        change = json.dumps({**json.loads(file.read_text()), **change})
    file.write_text(change)
    resign(checkpoint)
    refused(checkpoint, words, "set")


def test_reading_a_checkpoint_needs_neither_simulator_nor_trainer(checkpoint):
    code = (
        "import sys; from agmpk.forecasting.forecaster import load_forecaster; "
        "load_forecaster(sys.argv[1]); "
        "print([m for m in sys.modules if m.startswith(('agmpk.prior', 'agmpk.training'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr[-2000:]


def test_the_card_says_what_was_done(recipe, run, checkpoint):
    card = (checkpoint / "CARD.md").read_text()
    assert card == write_card(checkpoint)
    assert "2 steps of 64 studies (128 simulated studies)" in card
    assert "peak rates 0.004 (Muon) and 0.001 (AdamW)" in card
    assert "`small`, whole in `checkpoint.json`" in card
    assert "oral and intravenous doses, up to 2 of an individual" in card
    config = recipe("set")
    prior = load_prior(config.prior)
    parts = training_batch(config, prior, 0)
    seen = max(int(part.context.mask.any(-1).sum(-1).max()) for part in parts)
    assert f"up to {seen} individuals" in card
    clinic = load_prior("clinic").to_dict()
    assert largest_context(clinic, 4) == 96  # caps of 100, four of them to be forecast
    assert largest_context(load_prior("paper").to_dict(), 4) == 6
    # More blocks a step are more studies; a checkpoint before its first validation says so.
    about = json.loads((checkpoint / "checkpoint.json").read_text())
    about["training"] |= {"blocks": 8, "start": "runs/other"}
    (checkpoint / "checkpoint.json").write_text(json.dumps(about))
    (checkpoint / "validation.csv").unlink()
    card = write_card(checkpoint)
    assert "2 steps of 512 studies (1,024 simulated studies)" in card
    assert "not validated yet" in card
    assert "begun with the weights of `other` |" in card


def test_what_a_model_began_with_is_counted(checkpoint, recipe, tmp_path):
    """The cost of a model is also that of the one it was begun with, and of that one's."""
    about = json.loads((checkpoint / "checkpoint.json").read_text())
    assert about["before"] is None
    about["before"] = {"studies": 1000, "hours": 0.5}
    (checkpoint / "checkpoint.json").write_text(json.dumps(about))
    resign(checkpoint)
    config = recipe("set", steps=1, start=str(checkpoint))
    save_checkpoint(train(config, tmp_path / "run", workers=0), tmp_path / "run", tmp_path / "new")
    before = json.loads((tmp_path / "new" / "checkpoint.json").read_text())["before"]
    assert before["studies"] == 1000 + 2 * 64  # two steps of one block
    card = (tmp_path / "new" / "CARD.md").read_text()
    assert "begun with the weights of `checkpoint` (1,128 studies, 0.5" in card
