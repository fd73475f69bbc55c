"""Extraction engines with one output schema: rules, a language model, replayed answers."""
