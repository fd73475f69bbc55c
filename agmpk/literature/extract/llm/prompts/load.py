"""Reading a prompt file and filling in a document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from agmpk.literature.document import Document

CURRENT = {"triage": 1, "extract": 1}
MAX_CHARACTERS = 60_000  # of one article; about 15,000 tokens. Tables come before the body.


@dataclass(frozen=True)
class Prompt:
    """A prompt of fixed `name` and `version`; `user` holds one `{document}`."""

    name: str
    version: int
    system: str
    user: str

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"

    def fill(self, document: Document) -> str:
        """The user message for a document; the article cannot close its own `<article>` element."""
        return self.user.replace(
            "{document}", article_text(document).replace("</article>", "<\\/article>")
        )


@cache
def load_prompt(name: str) -> Prompt:
    """The current version of the prompt `triage` or `extract`."""
    path = resources.files(__package__) / f"{name}-{CURRENT[name]}.yaml"
    return Prompt(**yaml.safe_load(path.read_text(encoding="utf-8")))


def article_text(document: Document) -> str:
    """Title, abstract, tables, body with headings, cut after `MAX_CHARACTERS`."""
    parts = [f"TITLE\n{document.title}", f"ABSTRACT\n{document.abstract}"]
    parts += [f"TABLE\n{table.text()}" for table in document.tables]
    if document.body:
        parts.append(f"BODY\n{document.body}")
    return "\n\n".join(parts)[:MAX_CHARACTERS]
