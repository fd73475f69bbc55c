"""The pages: a warning fails the build, also the second time."""

import pytest

from agmpk.book.build import build_html
from agmpk.book.project import Project
from agmpk.errors import AgmpkError


@pytest.fixture
def book(tmp_path) -> Project:
    """A book of one page."""
    project = Project(tmp_path)
    (project.book / "_static").mkdir(parents=True)
    (project.book / "_static" / "custom.css").write_text("a {}")
    project.toc.write_text("format: jb-book\nroot: index\n")
    project.config.write_text("title: T\nexecute: {execute_notebooks: 'off'}\n")
    (project.book / "index.md").write_text("# Title\n\nText.\n")
    return project


@pytest.mark.slow
def test_good_page_builds_and_a_broken_reference_fails_twice(book):
    said = []
    build_html(book, echo=said.append)
    assert "Text." in book.index_html.read_text() and said

    style = book.book / "_static" / "custom.css"
    style.write_text("b {}")
    build_html(book, echo=said.append)
    assert (book.index_html.parent / "_static" / "custom.css").read_text() == "b {}"

    (book.book / "index.md").write_text("# Title\n\n{term}`nowhere`\n")
    for _ in range(2):
        with pytest.raises(AgmpkError, match="(?s)without warnings.*nowhere"):
            build_html(book, echo=said.append)
        assert not book.index_html.exists()


def test_chapter_that_was_never_executed(project):
    with pytest.raises(AgmpkError, match="alpha was never executed"):
        build_html(project)
