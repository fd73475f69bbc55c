"""Run the chapters that need it, say why and how long, and build the pages, every warning an
error."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from agmpk.book.cache import stale_reasons
from agmpk.book.execute import execute_chapter
from agmpk.book.project import Project, Tier
from agmpk.book.try_page import make_try_page
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, only_one

#: Programs that can print a page.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def run_chapters(
    project: Project,
    tier: Tier,
    chapters: Sequence[str] = (),
    *,
    force: bool = False,
    jobs: int = 1,
    echo: Callable[[str], None] = print,
) -> list[str]:
    """Execute the stale ones of ``chapters`` (default: all) in ``tier``; return those executed.

    Every parameter of every chapter is checked before the first one runs. A chapter's turn comes
    when those whose results it reads are done; whether it is stale is looked at then. With ``jobs``
    above 1 so many run at a time, in processes, the longest first.

    Raises:
        AgmpkError: a chapter failed, or another run is executing chapters of this book.
    """
    names = [project.require_chapter(name) for name in chapters] or list(project.chapters())
    after = {name: [n for n in follows(project, name) if n in names] for name in names}
    plan = [name for name in names if stale_reasons(project, tier, name) or force]
    if plan:  # a page that describes the build follows every other chapter
        last = {name for name in names if project.metadata(name).get("describes_build")}
        plan = [name for name in names if name in {*plan, *last}]
    if plan:
        minutes = sum(tier.minutes.get(name, 1) for name in plan) / min(jobs, len(plan))
        echo(
            f"Tier {tier.name}: {len(plan)} of {len(names)} chapters to execute "
            f"({', '.join(plan)}), about {max(1, round(minutes))} min."
        )
    else:
        echo(f"Tier {tier.name}: all {len(names)} chapters are up to date.")
    line = {name: f"[{k}/{len(names)}] {name}" for k, name in enumerate(names, start=1)}
    executed, waiting, running = [], list(names), {}
    project.executed.mkdir(parents=True, exist_ok=True)
    with only_one(project.executed, "chapters of this book are executed"), _pool(jobs) as pool:
        while waiting or running:
            undone = {*waiting, *running.values()}
            ready = [name for name in waiting if not undone & {*after[name]}]
            if not ready and not running:
                ready = waiting[:1]  # two that read each other's results
            if jobs > 1:  # the longest first, so that nobody waits for it at the end
                ready.sort(key=lambda name: -tier.minutes.get(name, 1))
            for name in ready[: jobs - len(running)]:
                waiting.remove(name)
                reasons = ["forced"] if force else stale_reasons(project, tier, name)
                if not reasons:
                    echo(f"{line[name]}: up to date")
                    continue
                more = f"; and {len(reasons) - 2} more" if len(reasons) > 2 else ""
                echo(f"{line[name]}: executing ({'; '.join(reasons[:2])}{more})")
                running[pool.submit(execute_chapter, project, tier, name)] = name
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(done)
                echo(f"{line[name]}: done in {done.result().seconds:.0f} s")
                executed.append(name)
    return executed


class _Here:
    """Runs at once, in this process, what a pool would run elsewhere."""

    def submit(self, function: Callable, *arguments: object) -> Future:
        future: Future = Future()
        future.set_result(function(*arguments))
        return future


def _pool(jobs: int) -> AbstractContextManager[_Here | ProcessPoolExecutor]:
    """Where chapters run. Processes, not threads: papermill changes the working directory."""
    if jobs == 1:
        return nullcontext(_Here())
    # A thread for each; and the numbers do not depend on how many cores a machine has.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def follows(project: Project, chapter: str) -> list[str]:
    """The chapters whose results ``chapter`` reads, as its metadata say (``agmpk.after``); all the
    others where it describes the build."""
    metadata = project.metadata(chapter)
    return project.described() if metadata.get("describes_build") else metadata.get("after", [])


def build_html(
    project: Project, *, builder: str = "html", echo: Callable[[str], None] = print
) -> Path:
    """Run Jupyter Book over ``book/``; return the page to open; raises when it warns or fails.

    ``builder`` is ``html``, or ``singlehtml`` for one page of all.

    Pages that have not changed are not parsed again. A failed build is removed, or the next would
    find the offending pages already parsed and pass without repeating their warnings.
    """
    for chapter in project.chapters():
        if not project.executed_notebook(chapter).is_file():
            raise AgmpkError(f"Chapter {chapter} was never executed: run `make notebooks` first.")
    command = [
        *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
        *("build", str(project.book), "--path-output", str(project.book), "--builder", builder),
        *("--config", str(project.config), "--toc", str(project.toc)),
        # --all writes every page anew: sphinx alone does not notice a changed style sheet.
        *("--all", "-n", "-W", "--keep-going", "--quiet"),
    ]
    echo("Building the pages.")
    # Colour codes would garble a log; the hash seed fixes the order in which sphinx writes sets.
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONHASHSEED": "0"}
    result = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )
    page = project.book / "_build" / builder / "index.html"
    if result.returncode or not page.is_file():
        shutil.rmtree(page.parent, ignore_errors=True)
        shutil.rmtree(project.book / "_build" / ".doctrees", ignore_errors=True)
        said = (result.stdout + result.stderr).splitlines()
        lines = [line for line in said if "WARNING" in line or "ERROR" in line] or said[-20:]
        raise AgmpkError("The pages did not build without warnings:\n" + "\n".join(lines))
    if (project.book / "try").is_dir() and builder == "html":
        made = project.book / "_build" / "try"
        make_try_page(project.book / "try", made, echo)
        stamps = shutil.ignore_patterns(".*")
        target = page.parent / "_static" / "try"
        shutil.copytree(made, target, ignore=stamps, dirs_exist_ok=True)
    return page


def print_book(project: Project, file: Path, *, echo: Callable[[str], None] = print) -> None:
    """Print the whole book to a PDF with an installed Chromium or Chrome.

    Raises:
        AgmpkError: there is no such browser, or it did not print.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise AgmpkError(f"To print, install one of these browsers: {', '.join(BROWSERS)}.")
    page = build_html(project, builder="singlehtml", echo=echo)
    with atomic_path(file) as temporary:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command += [f"--print-to-pdf={temporary}", "--virtual-time-budget=60000", page.as_uri()]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or not temporary.is_file():
            raise AgmpkError(f"{browser} did not print the book: {result.stderr.strip()[-300:]}")
