"""Every notebook in tier smoke, and the book built from them with warnings as errors.

The rehearsal lives in ``build/smoke`` (ignored by git), a folder of links to the project: it leaves
the chapters of ``make book`` alone, and the cache makes a second run quick.
"""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup

from agmpk.book.tiers import Project

pytestmark = pytest.mark.slow

LINKED = ("_config.yml", "_toc.yml", "agmpk", "data", "notebooks", "requirements.lock")


@pytest.fixture(scope="module")
def built(root: Path, request: pytest.FixtureRequest) -> Project:
    """The rehearsal, built; its progress is shown as it happens."""
    project = Project(root / "build" / "smoke")
    project.book.mkdir(parents=True, exist_ok=True)
    sources = [*(root / name for name in LINKED), *(root / "book").glob("[!.]*")]
    for source in sources:
        link = project.root / source.relative_to(root)
        if source.name not in ("chapters", "_build") and not link.is_symlink():
            link.symlink_to(source)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nThe book in tier smoke:", flush=True)
        assert book_command(project, "build", "--jobs", "2").returncode == 0
    return project


def book_command(project: Project, command: str, *more: str) -> subprocess.CompletedProcess:
    words = ["--root", str(project.root), command, "--tier", "smoke", *more]
    return subprocess.run([sys.executable, "-m", "agmpk.cli", "book", *words], check=False)


def pages(project: Project) -> dict[Path, BeautifulSoup]:
    html = project.index_html.parent
    files = [file for file in html.rglob("*.html") if "_static" not in file.parts]
    return {file: BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in files}


def test_every_chapter_has_its_page(built):
    for chapter in built.chapters():
        assert (built.index_html.parent / "chapters" / f"{chapter}.html").is_file()


def test_nothing_is_stale_after_the_build(built):
    assert book_command(built, "check").returncode == 0


def test_every_figure_has_its_own_alt_text(built):
    """Sphinx falls back on the file name; that is no description."""
    for file, page in pages(built).items():
        for image in page.find_all("img"):
            alt = image.get("alt", "")
            assert alt and "_images/" not in alt, f"{file.name}: use agmpk.book.plots.show"


def test_no_page_loads_anything_from_elsewhere(built):
    for file, page in pages(built).items():
        loaded = [tag.get("src") or "" for tag in page.find_all(src=True)]
        loaded += [tag.get("href") or "" for tag in page.find_all("link")]
        remote = [url for url in loaded if url.startswith(("http", "//"))]
        assert remote == [], file.name


def test_every_local_link_leads_somewhere(built):
    parsed = {os.path.realpath(file): page for file, page in pages(built).items()}
    for file, page in parsed.items():
        for anchor in page.find_all("a", href=True):
            parts = urlsplit(anchor["href"])
            if parts.scheme or anchor["href"] == "#":
                continue
            target = file
            if parts.path:
                target = os.path.realpath(Path(file).parent / unquote(parts.path))
            assert os.path.isfile(target), f"{Path(file).name} links to {anchor['href']}"
            if parts.fragment and target in parsed:
                found = parsed[target].find(id=unquote(parts.fragment))
                assert found is not None, f"{Path(file).name} links to {anchor['href']}"


def test_no_page_shows_a_folder_of_this_machine(built):
    home = str(Path(built.root).parents[1])
    for chapter in built.chapters():
        for cell in nbformat.read(built.executed_notebook(chapter), as_version=4).cells:
            for output in cell.get("outputs", ()):
                assert home not in str(output), f"{chapter}: {cell.source[:80]}"
