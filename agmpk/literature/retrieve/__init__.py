"""Open-access full texts from PubMed Central, politely: rate limit, retries, cache, resume,
manifest."""

from agmpk.literature.retrieve.run import retrieve
from agmpk.literature.retrieve.settings import RetrieveSettings

__all__ = ["RetrieveSettings", "retrieve"]
