"""JATS full-text XML to documents: title, abstract, body text, and tables as tables."""

from agmpk.literature.parse.article import parse_jats, parse_jats_file

__all__ = ["parse_jats", "parse_jats_file"]
