"""`agmpk literature`: retrieve, parse, extract, harmonize, score."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import click
from tqdm import tqdm

from agmpk import cli
from agmpk.cli import FILE, FOLDER, option
from agmpk.errors import AgmpkError
from agmpk.files import check_writable

_OUT = option("--out", required=True, type=FILE, help="File to write (whole or not at all).")


@click.group()
def literature() -> None:
    """Pharmacokinetic summary statistics out of open-access bioequivalence articles."""


@literature.command()
@click.argument("query", default="")
@option("--out", "folder", required=True, type=FOLDER, help="Run again with it to resume.")
@option("--email", envvar="NCBI_EMAIL", required=True, help="Your address, which NCBI asks for.")
@option("--max", "limit", default=200, type=click.IntRange(1, 10_000))
@option("--base-url", default=None, help="Another E-utilities server.")
def retrieve(query: str, folder: Path, email: str, limit: int, base_url: str | None) -> None:
    """Fetch open-access full texts from PubMed Central for QUERY (default: the published search).

    An NCBI key is read from NCBI_API_KEY, never from the command line.
    """
    from agmpk.literature.retrieve import NCBI, QUERY, RetrieveSettings
    from agmpk.literature.retrieve import retrieve as run

    settings = RetrieveSettings(email=email, base_url=base_url or NCBI)
    manifest = run(query or QUERY, folder, settings, limit, progress=click.echo)
    counts = ", ".join(f"{n} {status}" for status, n in sorted(manifest.counts().items()))
    click.echo(
        f"{manifest.total} articles match, {len(manifest.ids)} asked for: {counts or 'none'}. "
        f"Manifest: {folder / 'manifest.json'}"
    )


@literature.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@_OUT
def parse(inputs: tuple[Path, ...], out: Path) -> None:
    """Read JATS or PubMed XML files, or folders of them, into JSON lines for `extract`.

    A file may hold several articles; .xml and .nxml files of folders are read.
    """
    from agmpk.literature.document import document_to_record, write_jsonl
    from agmpk.literature.parse import SUFFIXES, parse_file

    check_writable(out)
    paths: list[Path] = []
    for given in inputs:
        inside = sorted(f for f in given.rglob("*") if f.suffix in SUFFIXES)
        paths += inside if given.is_dir() else [given]
    if not paths:
        raise AgmpkError(
            "no .xml or .nxml file in the given folders; give files or folders with JATS XML"
        )
    records, faults = [], []
    for path in tqdm(paths, desc="parse", unit="file", disable=None):
        try:
            records += [document_to_record(d) for d in parse_file(path)]
        except AgmpkError as error:
            faults.append(str(error))
    for fault in faults:
        click.echo(f"left out: {fault}", err=True)
    if not records:
        raise AgmpkError("none of the files could be read; nothing was written")
    write_jsonl(records, out)
    click.echo(
        f"{len(records)} documents written to {out}"
        + (f", {len(faults)} left out" if faults else "")
    )


@cli.command(
    click.argument("source", metavar="INPUT.jsonl", type=FILE),
    _OUT,
    option("--engine", type=click.Choice(["rules", "llm", "replay"]), default="rules"),
    option("--config", type=FILE, help="YAML settings of the language model (never a key)."),
    option("--recordings", type=FILE, help="Recorded answers (JSON lines), read and added to."),
    option("--triage/--no-triage", default=True,
           help="Ask first whether it is one single BE trial."),
    group=literature,
)  # fmt: skip
def extract(o: SimpleNamespace) -> None:
    """Extract one flat record a document from INPUT.jsonl (`id`, `title`, `abstract`, optional
    `body`, `tables`).

    A language model's key is read from the environment (AGMPK_LLM_API_KEY unless configured
    otherwise).
    """
    from agmpk.literature.document import document_from_record, read_jsonl, write_jsonl
    from agmpk.literature.extract import extract_document

    source, out = o.source, o.out
    check_writable(out)
    numbered = enumerate(read_jsonl(source), start=1)
    documents = [document_from_record(r, f"{source}, record {i}") for i, r in numbered]
    if not documents:
        raise AgmpkError(
            f"{source}: holds no documents; each line must be one JSON object with 'id'"
        )
    for name, count in Counter(document.id for document in documents).items():
        if count > 1:
            raise AgmpkError(f"{source}: the id {name} stands twice; ids must be unique")
    llm = None
    if o.engine != "rules":
        from agmpk.literature.extract.client import LlmClient, load_settings
        from agmpk.literature.extract.llm import LlmEngine, Recordings

        recordings = o.recordings or out.with_suffix(".recordings.jsonl")
        if o.engine == "replay" and not recordings.exists():
            raise AgmpkError(f"{recordings}: no such recording; give --recordings FILE")
        client = None if o.engine == "replay" else LlmClient(load_settings(o.config))
        llm = LlmEngine(Recordings(recordings), client, o.triage)
    bar = tqdm(documents, desc="extract", unit="document", disable=None)
    records = [extract_document(d, llm).model_dump(mode="json") for d in bar]
    write_jsonl(records, out)
    click.echo(f"{len(records)} records written to {out}")
    if llm is not None:
        click.echo(llm.cost.line())
        if llm.set_aside:
            aside = out.with_suffix(".set_aside.jsonl")
            write_jsonl(llm.set_aside, aside)
            click.echo(f"{len(llm.set_aside)} documents set aside, see {aside}", err=True)


@literature.command(name="local-model")
@click.option("--weights", required=True, type=FILE, help="Where the weights are put (1.1 GB).")
@option("--threads", default=1, type=click.IntRange(1, 256))
@option("--port", default=8080, type=click.IntRange(0, 65535))
def local_model(weights: Path, threads: int, port: int) -> None:
    """Serve a small language model on this machine until Ctrl-C (needs the `local-llm` extra)."""
    from agmpk.literature.extract.local import MODEL, assemble, local_server

    check_writable(weights)
    with local_server(assemble(weights), threads, port) as url:
        click.echo(f"export AGMPK_LLM_BASE_URL={url} AGMPK_LLM_MODEL='{MODEL}'")
        click.echo("serving until Ctrl-C", err=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


@literature.command()
@click.argument("sources", nargs=-1, type=FILE)
@option("--out", "folder", required=True, type=FOLDER, help="Existing folder for the tables.")
def harmonize(sources: tuple[Path, ...], folder: Path) -> None:
    """Bring extraction records (default: the 114 published ones) into one tidy reference
    dataset."""
    from agmpk.files import data_path
    from agmpk.literature.harmonize import harmonize_file, write_harmonized

    result = harmonize_file(*(sources or (data_path("literature", "be_records.jsonl"),)))
    for path in write_harmonized(result, folder):
        click.echo(f"written: {path}")
    click.echo(result.funnel().to_string(index=False))


@literature.command()
@click.argument("found", type=FILE, required=False)
@click.argument("truth", type=FILE, required=False)
@click.option("--out", type=FILE, help="CSV file for the table.")
def score(found: Path | None, truth: Path | None, out: Path | None) -> None:
    """Precision, recall and F1 of every field: FOUND.jsonl (output of extract) against TRUTH.jsonl.

    Without files: the rules on every gold set, field by field; with --out
    data/literature/gold/scores.csv this renews the shipped table.
    """
    from agmpk.files import write_csv
    from agmpk.literature.document import read_jsonl
    from agmpk.literature.score import pooled, score_gold, score_records

    if out is not None:
        check_writable(out)
    if found is None:
        table = score_gold()
        shown = table.groupby("part", sort=False).apply(pooled, include_groups=False)
        click.echo(shown.round(3).to_string())
    elif truth is None:
        raise AgmpkError("give FOUND.jsonl and TRUTH.jsonl, or neither for the gold sets")
    else:
        table = score_records(read_jsonl(found), read_jsonl(truth))
        click.echo(table.round(3).to_string(index=False))
    if out is not None:
        write_csv(table, out)
