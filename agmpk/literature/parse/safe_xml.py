"""Reading XML that nobody has vetted.

defusedxml refuses entity declarations and external references; the limits on size and depth are
ours.
Every refusal is one AgmpkError that names the file and what to do.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import (
    DefusedXmlException,
    DTDForbidden,
    EntitiesForbidden,
    ExternalReferenceForbidden,
)
from defusedxml.ElementTree import DefusedXMLParser

from agmpk.errors import AgmpkError

MAX_BYTES = 30_000_000  # a long article with supplements inline is below 5 MB
MAX_DEPTH = 200  # real articles nest below 40
MAX_ELEMENTS = 2_000_000
_CHUNK = 1 << 16


class _BoundedBuilder(TreeBuilder):
    """A tree builder that gives up on absurd depth or size."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.elements = 0

    def start(self, tag, attrs):  # noqa: ANN001, ANN201 - signature of TreeBuilder
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH:
            raise _TooMuch(f"elements are nested more than {MAX_DEPTH} deep")
        if self.elements > MAX_ELEMENTS:
            raise _TooMuch(f"more than {MAX_ELEMENTS} elements")
        return super().start(tag, attrs)

    def end(self, tag):  # noqa: ANN001, ANN201
        self.depth -= 1
        return super().end(tag)


class _TooMuch(Exception):
    pass


def parse_xml(data: bytes, name: str) -> Element:
    """The root element of `data`. Raises AgmpkError (one sentence, naming `name`) for unsafe or
    broken XML."""
    if len(data) > MAX_BYTES:
        raise AgmpkError(
            f"{name}: {len(data) / 1e6:.0f} MB of XML is more than the {MAX_BYTES / 1e6:.0f} MB "
            f"that are read; "
            "an article is never that large, so leave this file out"
        )
    if not data.strip():
        raise AgmpkError(f"{name}: the file is empty; fetch it again")
    parser = DefusedXMLParser(
        target=_BoundedBuilder(), forbid_dtd=False, forbid_entities=True, forbid_external=True
    )
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
        return parser.close()
    except EntitiesForbidden as error:
        raise AgmpkError(
            f"{name}: declares the XML entity '{error.name}'; articles need none and expanding "
            f"them "
            "is unsafe, so leave this file out"
        ) from error
    except (ExternalReferenceForbidden, DTDForbidden) as error:
        raise AgmpkError(
            f"{name}: refers to something outside the file; that is never loaded, so leave this "
            f"file out"
        ) from error
    except DefusedXmlException as error:
        raise AgmpkError(f"{name}: unsafe XML ({error}); leave this file out") from error
    except _TooMuch as error:
        raise AgmpkError(f"{name}: {error}; this is no article, leave the file out") from error
    except (ParseError, ValueError, LookupError) as error:
        raise AgmpkError(
            f"{name}: not well-formed XML ({error}); fetch the article again"
        ) from error


def read_xml(path: str | Path) -> Element:
    """`parse_xml` of a file; its size is looked at before it is read."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise AgmpkError(
                f"{path}: {size / 1e6:.0f} MB of XML is more than the {MAX_BYTES / 1e6:.0f} MB "
                f"that are read; "
                "an article is never that large, so leave this file out"
            )
        data = path.read_bytes()
    except OSError as error:
        raise AgmpkError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_xml(data, str(path))
