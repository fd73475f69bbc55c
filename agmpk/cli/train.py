"""``agmpk simulate`` and ``agmpk train``: studies drawn from the prior, and models of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import click
from tqdm import tqdm

from agmpk import cli
from agmpk.cli import OUT, SEED, option
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, check_writable


@click.command(
    epilog="""\b
Examples:
  agmpk simulate --preset paper --studies 10 --seed 1 --out sim.csv
  agmpk simulate --preset my_prior.yaml --studies 1000 --out sim.csv
"""
)
@option("--preset", default="extended", help="Name of a preset, or a YAML file.")
@option("--studies", default=10, type=cli.POSITIVE)
@SEED
@OUT
def simulate(preset: str, studies: int, seed: int, out: Path) -> None:
    """Draw STUDIES studies and write them as one NONMEM-style table with a STUDY column.

    Times are in h, doses in mg, concentrations in mg/L. Rows are written block by block, so any
    number of studies fits in memory; the file appears when it is whole.
    """
    from agmpk.prior.config import load_prior
    from agmpk.prior.simulate import BLOCK, simulate_block
    from agmpk.prior.table import UNITS, to_table
    from agmpk.studies.nonmem.layout import UNITS_LINE

    check_writable(out)
    config = load_prior(preset)
    rows = 0
    with atomic_path(out) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        told = f"time={UNITS.time} concentration={UNITS.concentration} dose={UNITS.dose}"
        file.write(f"{UNITS_LINE} {told}\n")
        for start in tqdm(range(0, studies, BLOCK), desc="simulate", unit="block", disable=None):
            batch = simulate_block(config, seed, start // BLOCK)[: studies - start]
            table = to_table(batch, first=1 + start)
            table.to_csv(file, index=False, header=start == 0, lineterminator="\n")
            rows += len(table)
    click.echo(f"{studies} studies, {rows} rows -> {out}")


@cli.command(
    option("--recipe", "recipes", multiple=True,
           help="A shipped recipe (flow, diffusion, aicmet, transformer, node, ...), or a YAML "
           "file of settings (the rest have defaults).  Several that share prior, seed and sizes "
           "are trained on one stream of studies, each in a folder of the run named after its "
           "model."),
    option("--run", "folder", required=True, type=cli.FOLDER,
           help="Of the run; goes on if it is there."),
    option("--checkpoint", type=cli.FOLDER,
           help="To write the finished checkpoint (of several: each) to."),
    option("--export", is_flag=True, help="Only write the checkpoint, from the last saved state."),
    option("--steps", type=cli.POSITIVE, help="Instead of the recipe's; a finished run goes on."),
    option("--seed", type=click.IntRange(0, 2**31), help="Instead of the recipe's seed."),
    option("--minutes", type=click.FloatRange(0, min_open=True),
           help="Stop cooled down after these."),
    option("--device", default="cpu", help="cpu, or cuda where there is one."),
    option("--threads", type=cli.POSITIVE, help="CPU threads; by default all."),
    option("--workers", default=1, type=cli.COUNT, help="Processes that simulate ahead."),
    epilog="""\b
Examples:
  agmpk train --recipe flow-small --run runs/small --checkpoint runs/small/checkpoint
  agmpk train --recipe my_settings.yaml --run runs/mine --seed 3 --device cuda
  agmpk train --run runs/mine --export --checkpoint runs/mine/checkpoint
  agmpk train --recipe flow-gpu --recipe diffusion-gpu --run runs/gpu \\
    --device cuda --workers 14 --minutes 9
  torchrun --standalone --nproc-per-node 2 --no-python -- \\
    agmpk train --recipe flow-gpu --run runs/paper --device cuda --workers 7
""",
)  # fmt: skip
def train(o: SimpleNamespace) -> None:
    """Train a model on simulated studies; interrupted at any time, the same call resumes."""
    import os

    import torch

    from agmpk.training.checkpoint import save_checkpoint
    from agmpk.training.config import load_training_config
    from agmpk.training.run import train_together, trained_model

    folder, checkpoint = o.folder, o.checkpoint
    if o.export:
        if checkpoint is None or o.recipes:
            raise AgmpkError("--export needs --checkpoint FOLDER, and takes no --recipe.")
        save_checkpoint(trained_model(folder), folder, checkpoint)
        click.echo(f"checkpoint -> {checkpoint}")
        return
    if not o.recipes:
        raise AgmpkError("Say what to train: --recipe NAME, or --export for a run that is there.")
    changes = {"steps": o.steps, "seed": o.seed}
    settings = [load_training_config(name).with_changes(**changes) for name in o.recipes]
    kinds = [one.kind for one in settings]
    if len(set(kinds)) < len(kinds):
        raise AgmpkError("Two of these recipes train the same kind of model: run them apart.")
    several = len(settings) > 1
    runs = {folder / one.kind if several else folder: one for one in settings}
    if o.threads:
        torch.set_num_threads(o.threads)
    first = os.environ.get("RANK", "0") == "0"
    total = None if o.minutes else settings[0].steps
    with tqdm(total=total, desc="train", unit="step", disable=None if first else True) as bar:

        def report(step: int, loss: float) -> None:
            if not bar.n:  # of a resumed run, what is left sets the time left
                bar.initial = bar.n = step - 1
            bar.update(step - bar.n)
            bar.n = step  # a bar that is not shown does not count
            bar.set_postfix(loss=f"{loss:.3f}")

        train_together(runs, report, o.device, o.workers, o.minutes)
    if not first:
        return
    click.echo(f"{bar.n or settings[0].steps} steps done -> {folder}")
    if checkpoint:
        for run, one in runs.items():
            to = checkpoint / one.kind if several else checkpoint
            save_checkpoint(trained_model(run), run, to)
            click.echo(f"checkpoint -> {to}")
