"""``agmpk train``: pretrain a model on simulated studies."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm


@click.command(epilog="""\b
Examples:
  agmpk train --config training/flow.yaml --run runs/flow --checkpoint runs/flow/checkpoint
  agmpk train --config training/flow.yaml --run runs/flow        (again: goes on where it stopped)
""")
@click.option("--config", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="YAML file of settings; those it leaves out have defaults.")
@click.option("--run", "folder", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the run; an existing one is resumed.")
@click.option("--checkpoint", type=click.Path(file_okay=False, path_type=Path),
              help="Folder to write the finished checkpoint to.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all.")
def train(config: Path, folder: Path, checkpoint: Path | None, threads: int | None) -> None:
    """Train with the settings of CONFIG; interrupted at any time, the same call resumes."""
    import torch

    from agmpk.training.checkpoint import save_checkpoint
    from agmpk.training.config import load_training_config
    from agmpk.training.run import train as run_training

    settings = load_training_config(config)
    if threads:
        torch.set_num_threads(threads)
    with tqdm(total=settings.steps, desc="train", unit="step", disable=None) as bar:
        def report(step: int, row: dict[str, float]) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{row['loss']:.3f}")

        model = run_training(settings, folder, report)
    click.echo(f"{settings.steps} steps done -> {folder}")
    if checkpoint:
        save_checkpoint(model, folder, checkpoint)
        click.echo(f"checkpoint -> {checkpoint}")
