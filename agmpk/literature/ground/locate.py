"""Finding a quoted passage in a document, whatever spaces, dashes and dots either side uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agmpk.literature.document import Document
from agmpk.literature.extract.rules.sentences import sentences
from agmpk.literature.text import NormalText, normalize

MIN_QUOTE = 3  # characters; a shorter quote stands everywhere


@dataclass(frozen=True)
class Passage:
    """A quote found in `source`: `normal` is the normalized source, `begin:stop` the quote in
    it."""

    source: str
    normal: NormalText
    begin: int
    stop: int

    def context(self) -> tuple[int, int]:
        """Span of what tells the meaning: the quote's sentences and the one before; a whole
        table."""
        if self.source.startswith("tables["):
            return 0, len(self.normal.text)
        spans = sentences(self.normal.text)
        touched = [i for i, (a, b) in enumerate(spans) if a < self.stop and b > self.begin]
        if not touched:
            return self.begin, self.stop
        return spans[max(touched[0] - 1, 0)][0], spans[touched[-1]][1]

    def clause(self) -> tuple[int, int]:
        """Span of the sentences the quote touches; in a table, the lines it touches."""
        if self.source.startswith("tables["):
            text = self.normal.text
            start = text.rfind("\n", 0, self.begin) + 1
            end = text.find("\n", self.stop)
            return start, len(text) if end < 0 else end
        spans = [(a, b) for a, b in sentences(self.normal.text) if a < self.stop and b > self.begin]
        return (spans[0][0], spans[-1][1]) if spans else (self.begin, self.stop)


def locate(
    quote: str, document: Document, normals: dict[str, NormalText] | None = None
) -> Passage | None:
    """The first place where `quote` stands in the document, or None."""
    words = [re.escape(w) for w in re.split(r"\s+", normalize(quote).text.strip()) if w]
    if not words or sum(map(len, words)) < MIN_QUOTE:
        return None
    pattern = re.compile(r"\s*".join(words), re.I)
    for source, text in document.sources().items():
        normal = normals[source] if normals and source in normals else normalize(text)
        match = pattern.search(normal.text)
        if match:
            return Passage(source, normal, match.start(), match.end())
    return None
