"""``agmpk train``: pretrain a model on simulated studies."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from agmpk.errors import AgmpkError


@click.command(
    epilog="""\b
Examples:
  agmpk train --recipe flow-small --run runs/small --checkpoint runs/small/checkpoint
  agmpk train --recipe my_settings.yaml --run runs/mine --seed 3 --device cuda
  agmpk train --run runs/mine --export --checkpoint runs/mine/checkpoint
  torchrun --standalone --nproc-per-node 4 --no-python -- \\
    agmpk train --recipe flow-paper --run runs/paper --device cuda
"""
)
@click.option(
    "--recipe",
    help="A shipped recipe (flow, diffusion, aicmet, transformer, node, ...), or a YAML file of "
    "settings (the rest have defaults).",
)
@click.option(
    "--run",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run; an existing one is resumed.",
)
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the finished checkpoint to.",
)
@click.option(
    "--export", is_flag=True, help="Only write the checkpoint, from the last saved state."
)
@click.option("--steps", type=click.IntRange(1), help="Instead of the recipe's number of steps.")
@click.option("--seed", type=click.IntRange(0), help="Instead of the recipe's seed.")
@click.option("--device", default="cpu", show_default=True, help="cpu, or cuda where there is one.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="Processes that simulate studies ahead; changes no number.",
)
def train(
    recipe: str | None,
    folder: Path,
    checkpoint: Path | None,
    export: bool,
    steps: int | None,
    seed: int | None,
    device: str,
    threads: int | None,
    workers: int,
) -> None:
    """Train a model on simulated studies; interrupted at any time, the same call resumes."""
    import os

    import torch

    from agmpk.training.checkpoint import save_checkpoint
    from agmpk.training.config import load_training_config
    from agmpk.training.run import train as run_training
    from agmpk.training.run import trained_model

    if export:
        if checkpoint is None or recipe is not None:
            raise AgmpkError("--export needs --checkpoint FOLDER, and takes no --recipe.")
        save_checkpoint(trained_model(folder), folder, checkpoint)
        click.echo(f"checkpoint -> {checkpoint}")
        return
    if recipe is None:
        raise AgmpkError("Say what to train: --recipe NAME, or --export for a run that is there.")
    settings = load_training_config(recipe).with_changes(steps=steps, seed=seed)
    if threads:
        torch.set_num_threads(threads)
    first = os.environ.get("RANK", "0") == "0"
    with tqdm(
        total=settings.steps, desc="train", unit="step", disable=None if first else True
    ) as bar:

        def report(step: int, loss: float) -> None:
            if not bar.n:
                bar.initial = step - 1  # a resumed run: what is left sets the time left
                bar.n = step - 1
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        model = run_training(settings, folder, report, device, workers)
    if not first:
        return
    click.echo(f"{settings.steps} steps done -> {folder}")
    if checkpoint:
        save_checkpoint(model, folder, checkpoint)
        click.echo(f"checkpoint -> {checkpoint}")
