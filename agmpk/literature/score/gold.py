"""The gold set: documents written for this project, with their truth, in two halves and probes."""

from __future__ import annotations

from typing import Any

from agmpk.literature.document import Document, document_from_record
from agmpk.literature.jsonl import read_jsonl
from agmpk.literature.parse import parse_jats_file
from agmpk.paths import data_path

HALVES = ("dev", "held_out")


def load_gold(half: str) -> list[tuple[Document, dict[str, Any]]]:
    """`[(document, truth)]` of the half `dev` or `held_out`, or of a probe set; articles are parsed
    from their XML."""
    folder = data_path("literature", "gold")
    result = []
    for line in read_jsonl(folder / f"{half}.jsonl"):
        if line["kind"] == "article":
            document = parse_jats_file(folder / line["jats"], id=line["id"])
        else:
            document = document_from_record(line)
        result.append((document, line["truth"]))
    return result
