"""``agmpk train``: pretrain a model on simulated studies."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm


@click.command(
    epilog="""\b
Examples:
  agmpk train --recipe flow-small --run runs/small --checkpoint runs/small/checkpoint
  agmpk train --recipe my_settings.yaml --run runs/mine --device cuda
"""
)
@click.option(
    "--recipe",
    default="flow",
    show_default=True,
    help="A shipped recipe, or a YAML file of settings (the rest have defaults).",
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
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all.")
@click.option("--device", default="cpu", show_default=True, help="cpu, or cuda where there is one.")
def train(
    recipe: str, folder: Path, checkpoint: Path | None, threads: int | None, device: str
) -> None:
    """Train a flow on simulated studies; interrupted at any time, the same call resumes."""
    import torch

    from agmpk.training.checkpoint import save_checkpoint
    from agmpk.training.config import load_training_config
    from agmpk.training.run import train as run_training

    settings = load_training_config(recipe)
    if threads:
        torch.set_num_threads(threads)
    with tqdm(total=settings.steps, desc="train", unit="step", disable=None) as bar:

        def report(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        model = run_training(settings, folder, report, device)
    click.echo(f"{settings.steps} steps done -> {folder}")
    if checkpoint:
        save_checkpoint(model, folder, checkpoint)
        click.echo(f"checkpoint -> {checkpoint}")
