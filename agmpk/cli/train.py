"""``agmpk train``: pretrain a model on simulated studies."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from agmpk.cli import FOLDER, option
from agmpk.errors import AgmpkError


@click.command(
    epilog="""\b
Examples:
  agmpk train --recipe flow-small --run runs/small --checkpoint runs/small/checkpoint
  agmpk train --recipe my_settings.yaml --run runs/mine --seed 3 --device cuda
  agmpk train --run runs/mine --export --checkpoint runs/mine/checkpoint
  agmpk train --recipe flow-gpu --recipe diffusion-gpu --run runs/gpu \\
    --device cuda --workers 15 --minutes 8
  torchrun --standalone --nproc-per-node 4 --no-python -- \\
    agmpk train --recipe flow-gpu --run runs/paper --device cuda
"""
)
@option(
    "--recipe",
    "recipes",
    multiple=True,
    help="A shipped recipe (flow, diffusion, aicmet, transformer, node, ...), or a YAML file of "
    "settings (the rest have defaults).  Several that share prior, seed and sizes are trained on "
    "one stream of studies, each in a folder of the run named after its model.",
)
@option(
    "--run",
    "folder",
    required=True,
    type=FOLDER,
    help="Folder of the run; an existing one is resumed.",
)
@option(
    "--checkpoint",
    type=FOLDER,
    help="Folder to write the finished checkpoint to (of several recipes: one folder in it each).",
)
@option("--export", is_flag=True, help="Only write the checkpoint, from the last saved state.")
@option(
    "--steps",
    type=click.IntRange(1),
    help="Instead of the recipe's number of steps; a finished run goes on from its plateau.",
)
@option("--seed", type=click.IntRange(0, 2**31), help="Instead of the recipe's seed.")
@option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Stop after this time, cooled down, with a state from which to go on.",
)
@option("--device", default="cpu", help="cpu, or cuda where there is one.")
@option("--threads", type=click.IntRange(1), help="CPU threads; by default all.")
@option(
    "--workers",
    default=1,
    type=click.IntRange(0),
    help="Processes that simulate studies ahead; changes no number.",
)
def train(
    recipes: tuple[str, ...],
    folder: Path,
    checkpoint: Path | None,
    export: bool,
    steps: int | None,
    seed: int | None,
    minutes: float | None,
    device: str,
    threads: int | None,
    workers: int,
) -> None:
    """Train a model on simulated studies; interrupted at any time, the same call resumes."""
    import os

    import torch

    from agmpk.training.checkpoint import save_checkpoint
    from agmpk.training.config import load_training_config
    from agmpk.training.run import train_together, trained_model

    if export:
        if checkpoint is None or recipes:
            raise AgmpkError("--export needs --checkpoint FOLDER, and takes no --recipe.")
        save_checkpoint(trained_model(folder), folder, checkpoint)
        click.echo(f"checkpoint -> {checkpoint}")
        return
    if not recipes:
        raise AgmpkError("Say what to train: --recipe NAME, or --export for a run that is there.")
    settings = [load_training_config(name).with_changes(steps=steps, seed=seed) for name in recipes]
    kinds = [one.kind for one in settings]
    if len(set(kinds)) < len(kinds):
        raise AgmpkError("Two of these recipes train the same kind of model: run them apart.")
    several = len(settings) > 1
    runs = {folder / one.kind if several else folder: one for one in settings}
    if threads:
        torch.set_num_threads(threads)
    first = os.environ.get("RANK", "0") == "0"
    total = None if minutes else settings[0].steps
    with tqdm(total=total, desc="train", unit="step", disable=None if first else True) as bar:

        def report(step: int, loss: float) -> None:
            if not bar.n:  # of a resumed run, what is left sets the time left
                bar.initial = bar.n = step - 1
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        train_together(runs, report, device, workers, minutes)
    if not first:
        return
    click.echo(f"{bar.n or settings[0].steps} steps done -> {folder}")
    if checkpoint:
        for run, one in runs.items():
            to = checkpoint / one.kind if several else checkpoint
            save_checkpoint(trained_model(run), run, to)
            click.echo(f"checkpoint -> {to}")
