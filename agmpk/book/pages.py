"""The book's Sphinx extension: what is done to pages that Jupyter Book does not do.

* Figures and tables are numbered; images become files that load when they are scrolled to.
* ``{number}`chapter:name``` puts a number of a chapter into the text of another page, and the
  directive ``answer-figure`` its answer's figure.
* One setting, the address of the repository, turns on the buttons to edit, report, download and
  run in Colab, and stands in the copies that are downloaded or run there; another, the address of
  the site, what is shown where a page is linked.
* Nothing is fetched from the network: Jupyter Book always loads ``sphinx_thebe`` (live code cells
  through a remote service), whose hooks are removed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from agmpk.book.numbers import plain, stored

_IMAGE = re.compile(r'src="data:image/png;base64,([^"]+)"')
_COUNTED = re.compile(
    r'<span class="section-number">(?P<chapter>\d+)\.\s*</span>'
    r'|(?P<open><figcaption class="agmpk-caption">|<div class="agmpk-table-caption">)'
)
PUBLISHED = "gh-pages"  # the branch with the pages, see .github/workflows
# What axe, or the standard, says against pages that others write.
MENDED = {
    # A label says something else aloud than what is seen.
    '<summary aria-label="Toggle hidden content">': "<summary>",
    ' title="Search" aria-label="Search"': ' title="Search"',
    ' aria-label="Color mode"': "",
    '<i class="theme-switch fa-solid fa-sun ': '<span class="visually-hidden">Color mode</span>'
    '<i class="theme-switch fa-solid fa-sun ',
    # Its entries are no list items.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    # An id occurs once in a page.
    ' id="exercise-content"': "",
    ' id="solution-content"': "",
}
DESCRIPTION = (
    "Forecasts of a patient's drug concentrations from a few samples and the other patients of the "
    "study, by networks trained on simulated studies: the executable book."
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register roles, directives and hooks."""
    app.add_config_value("agmpk_repository", "", "html")
    app.add_config_value("agmpk_site", "", "html")
    app.add_role("number", Number())
    app.add_directive("answer-figure", AnswerFigure)
    app.connect("config-inited", _remove_thebe, priority=0)
    app.connect("config-inited", _configure)
    app.connect("html-page-context", _page, priority=900)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _chapter(env, chapter: str) -> dict[str, Any]:
    """What an executed chapter stored, by name."""
    path = Path(env.srcdir, "chapters", f"{chapter}.ipynb")
    env.note_dependency(str(path))
    return stored(nbformat.read(path, as_version=4)) if path.is_file() else {}


class Number(SphinxRole):
    """``{number}`chapter:name```: a number that a chapter stored."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        chapter, _, name = self.text.partition(":")
        found = _chapter(self.env, chapter)
        if name not in found:
            said = f"chapter {chapter!r} stores no number {name!r}"
            return [], [self.inliner.reporter.warning(said, line=self.lineno)]
        return [nodes.Text(plain(found[name]))], []


class AnswerFigure(SphinxDirective):
    """The figure of a chapter's answer box, on another page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        found = _chapter(self.env, self.arguments[0]).get("answer", {})
        if "text/html" not in found:
            said = f"chapter {self.arguments[0]!r} has no figure in its answer"
            return [self.state.document.reporter.warning(said, line=self.lineno)]
        return [nodes.raw("", found["text/html"], format="html")]


def _configure(app: Sphinx, config: Any) -> None:
    """Buttons where the repository's address is known; the environment goes before the file, for
    a workflow that knows its own address."""
    # sphinx-exercise speaks to this builder by name, which would hide what others say to "html".
    known = app.registry.translation_handlers
    known["singlehtml"] = known["html"] | known.get("singlehtml", {})
    repository = os.environ.get("AGMPK_REPOSITORY", config.agmpk_repository).rstrip("/")
    config.html_baseurl = os.environ.get("AGMPK_SITE", config.agmpk_site)
    if repository:
        buttons = ("edit_page", "issues", "repository", "download")
        config.html_theme_options |= {
            "repository_url": repository,
            "repository_provider": "gitlab" if "gitlab" in repository else "github",
            "repository_branch": "main",
            "path_to_docs": "book",
            "launch_buttons": {"colab_url": "https://colab.research.google.com"},
            **{f"use_{name}_button": True for name in buttons},
        }


def _page(app: Sphinx, page: str, _template: str, context: dict, _doctree: Any) -> None:
    """Change a page that is about to be written."""
    if "body" in context:
        context["body"] = _number(_store_images(app, context["body"], context["pathto"]))
    # Colab runs the published copy, which knows how to install the project; the source of a
    # chapter is its notebook, not the executed copy.
    buttons = context.get("header_buttons", ())
    _rename(buttons, "/blob/main/book/chapters/", f"/blob/{PUBLISHED}/_sources/chapters/", "colab")
    _rename(buttons, "/book/chapters/", "/notebooks/")
    if app.config.html_baseurl:
        context["metatags"] = context.get("metatags", "") + _preview(app, page, context)


def _store_images(app: Sphinx, body: str, pathto: Any) -> str:
    """Move embedded images into files; all but a page's first load when they are scrolled to."""
    folder = Path(app.outdir, "_images")
    count = 0

    def store(match: re.Match) -> str:
        nonlocal count
        data = base64.b64decode(match[1])
        name = f"agmpk-{hashlib.sha256(data).hexdigest()[:16]}.png"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        width, height = (int.from_bytes(data[k : k + 4], "big") for k in (16, 20))
        later = 'loading="lazy" ' if count else ""
        count += 1
        source = pathto(f"_images/{name}", 1)
        return f'{later}src="{source}" width="{width}" height="{height}"'

    return _IMAGE.sub(store, body)


def _number(body: str) -> str:
    """Count figures and tables of each chapter in front of their captions."""
    chapter, counts = "", {"Figure": 0, "Table": 0}

    def count(match: re.Match) -> str:
        nonlocal chapter
        if match["chapter"]:
            chapter, counts["Figure"], counts["Table"] = match["chapter"] + ".", 0, 0
            return match[0]
        kind = "Figure" if "fig" in match["open"] else "Table"
        counts[kind] += 1
        number = f"{chapter}{counts[kind]}"
        anchor = f"{kind.lower()}-{number.replace('.', '-')}"
        return (
            f'{match["open"]}<a class="agmpk-number" id="{anchor}" href="#{anchor}">'
            f"{kind} {number}</a> "
        )

    return _COUNTED.sub(count, body)


def _rename(buttons: Any, old: str, new: str, among: str = "") -> None:
    for button in buttons:
        if isinstance(button, dict):
            if "url" in button and among in button["url"]:
                button["url"] = button["url"].replace(old, new)
            _rename(button.get("buttons", ()), old, new, among)


def _finish(app: Sphinx, _error: object) -> None:
    """Mend what others have written into the pages, and write the repository's address into the
    first cell of the copies of the chapters."""
    address = app.config.html_theme_options.get("repository_url", "")
    first = {r"repository = \"\"": rf"repository = \"{address}\""}
    for pattern, mended in (("*.html", MENDED), ("_sources/chapters/*.ipynb", first)):
        for file in Path(app.outdir).rglob(pattern):
            text = file.read_text("utf-8")
            for old, new in mended.items():
                text = text.replace(old, new)
            file.write_text(text, "utf-8")


def _preview(app: Sphinx, page: str, context: dict) -> str:
    """OpenGraph tags: what is shown where the page is linked."""
    site = app.config.html_baseurl.rstrip("/")
    images = re.findall(r"_images/agmpk-[0-9a-f]+\.png", context.get("body", ""))
    title = re.sub("<[^>]+>", "", context.get("title", ""))
    tags = {
        "title": f"{title} · {app.config.html_title}",
        "type": "article",
        "url": f"{site}/{page}.html",
        "description": DESCRIPTION,
        **({"image": f"{site}/{images[0]}"} if images else {}),
    }
    lines = [f'<meta property="og:{k}" content="{escape(v, quote=True)}">' for k, v in tags.items()]
    return "\n".join(lines)


def _remove_thebe(app: Sphinx, _config: object) -> None:
    """Disconnect the listeners of ``sphinx_thebe`` that write scripts into pages."""
    for event in ("env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        for listener in list(listeners):
            if listener.handler.__module__.split(".")[0] == "sphinx_thebe":
                listeners.remove(listener)
