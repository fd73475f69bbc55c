"""How the E-utilities are called. The NCBI key is read from the environment only."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from agmpk.errors import AgmpkError

NCBI = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"
QUERY = (
    '"bioequivalence"[title] AND "open access"[filter]'  # the published search, open access only
)


@dataclass(frozen=True)
class RetrieveSettings:
    """`email` is required by NCBI. `pause` is the first waiting time of the backoff in seconds.

    Requests are spaced by Biopython: three a second, ten with a key.
    """

    email: str
    api_key_env: str = "NCBI_API_KEY"
    base_url: str = NCBI
    timeout: float = 60.0
    max_tries: int = 5
    pause: float = 2.0
    max_pause: float = 60.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", self.email):
            raise AgmpkError(
                "NCBI asks for the e-mail address of whoever runs the queries; give it with --email"
            )
        if not self.base_url.startswith(("http://", "https://")):
            raise AgmpkError("--base-url must start with http:// or https://")

    def key(self) -> str | None:
        """The NCBI API key, if there is one."""
        return os.environ.get(self.api_key_env) or None
