"""The language-model engine: triage, structured extraction, grounding; any OpenAI-compatible
endpoint.

Every answer is kept in a recording, so that a run can be interrupted, resumed, and replayed without
a key or a network.
"""
