"""What stands beside the stored variants: results.csv and README.md, written from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agmpk.ablations.results import load_all, results_table
from agmpk.ablations.store import Stored, load
from agmpk.ablations.variants import DEFAULT, VARIANTS
from agmpk.files import atomic_path, write_csv

TEXT = """# Ablations of the small recipe

Made by `python -m agmpk.ablations run` (resumable; `--only NAME` for one, `--optional` for all);
`python -m agmpk.ablations list` says what is current. Nothing here is edited by hand.

| file | what it is |
|---|---|
| `variants/<name>.csv` | one row an individual: kind of studies, compound, individual, number of \
unseen points, log-RMSE, CRPS of ln y, share of points inside the 90 % interval, log-RMSE of the \
naive forecast, processor seconds of the forecast |
| `variants/<name>.json` | how it was made: all settings with the contents of the prior, their \
digest, size, training loss, seconds, machine, digest of the rows |
| `results.csv` | the variants side by side: values, paired differences to the base with 95 % \
intervals over people, margin of the training seeds, verdict |
| `benchmark_seeds.csv` | by `python -m agmpk.ablations seeds`: errors of the default's training \
seeds on the 20 compounds, to report their spread; no choice rests on it |

Every variant differs from its base in one value; the recipe is `agmpk/ablations/recipe.yaml`:
{steps} steps of the prior `{prior}`. A variant is made again when its settings or the contents of
its prior have changed, not when code has.

{finished} of {listed} variants are stored. Together they trained for {hours:.1f} h and were scored
for {scoring:.1f} h (wall-clock, upper bounds where other work shared the cores), on {machine}.
{missing}"""


def write_reports(out: Path) -> None:
    """Write ``results.csv`` and ``README.md`` in ``out``; nothing while the default is missing."""
    if load(out, DEFAULT) is None:
        return
    stored = load_all(out)
    write_csv(results_table(stored), out / "results.csv")
    with atomic_path(out / "README.md") as temporary:
        temporary.write_text(readme(stored), "utf-8")


def readme(stored: Mapping[str, Stored]) -> str:
    """The text of the README, in Markdown."""
    records = [one.record for one in stored.values()]
    training = stored[DEFAULT].record.settings["training"]
    missing = [f"`{v.name}`" for v in VARIANTS if v.name not in stored]
    # A change of the sampler shares the training of its base.
    own = [r for r in records if not r.name.startswith("steps-")]
    return TEXT.format(
        steps=training["steps"],
        prior=training["prior"],
        finished=len(records),
        listed=len(VARIANTS),
        hours=sum(r.training_seconds for r in own) / 3600,
        scoring=sum(r.scoring_seconds for r in records) / 3600,
        machine="; ".join(sorted({machine(r.environment) for r in records})),
        missing=f"\nNot stored: {', '.join(missing)}.\n" if missing else "",
    )


def machine(environment: Mapping[str, object]) -> str:
    """A class of machines in plain words."""
    threads = environment["threads"]
    return (
        f"{threads} thread{'s' if threads != 1 else ''} of an ordinary "
        f"{environment['machine']} processor without a GPU (torch {environment['torch']})"
    )
