"""The licence an article states, and whether it lets us mine the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from agmpk.literature.parse.text import local, text_of

_CC = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<kind>by(?:-nc)?(?:-nd|-sa)?)/(?P<version>\d\.\d)"
    r"|publicdomain/(?P<public>zero|mark)/)",
    re.I,
)
_WORDS = re.compile(
    r"creative commons attribution(?P<nc>[- ]non-?commercial)?(?:[- ](?P<more>no-?deriv\w*"
    r"|share-?alike))?|\bCC[- ](?P<short>BY(?:-NC)?(?:-ND|-SA)?|0)\b",
    re.I,
)


@dataclass(frozen=True)
class Licence:
    """`name` such as `CC BY 4.0`; `mining` says whether analysing the text is permitted."""

    name: str
    mining: bool


def licence_of(article: Element) -> Licence:
    """The licence of a JATS article, from its link or its words.

    Every Creative Commons licence permits reading and analysing a lawfully accessed text, also
    by machine;
    only facts are kept. Without a stated licence nothing is permitted.
    """
    permissions = next((e for e in article.iter() if local(e.tag) == "permissions"), None)
    if permissions is None:
        return Licence("none stated", False)
    texts = [text_of(permissions)]
    for element in permissions.iter():
        texts += [
            value
            for name, value in element.attrib.items()
            if local(name) in ("href", "license-type")
        ]
        if local(element.tag) in ("license_ref", "ext-link") and element.text:
            texts.append(element.text)
    joined = " ".join(texts)
    match = _CC.search(joined)
    if match:
        if match["public"]:
            return Licence("CC0" if match["public"].lower() == "zero" else "public domain", True)
        return Licence(f"CC {match['kind'].upper()} {match['version']}", True)
    words = _WORDS.search(joined)
    if words:
        if words["short"]:
            return Licence("CC0" if words["short"] == "0" else f"CC {words['short'].upper()}", True)
        more = {"n": "-ND", "s": "-SA"}.get((words["more"] or " ")[0].lower(), "")
        return Licence("CC BY" + ("-NC" if words["nc"] else "") + more, True)
    return Licence("other: " + " ".join(text_of(permissions).split())[:80], False)
