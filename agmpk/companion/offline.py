"""Sphinx extension: take out what a page would fetch from the network.

Jupyter Book always loads ``sphinx_thebe`` (live code cells through a remote service). The book has
no live cells, and with the pinned Sphinx its script is written twice, which is an error in the
browser's console; so its hooks are removed.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Arrange for the hooks to be removed once every extension is loaded."""
    app.connect("config-inited", _remove_thebe, priority=0)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _remove_thebe(app: Sphinx, _config: object) -> None:
    """Disconnect the listeners of ``sphinx_thebe`` that write scripts into pages."""
    for event in ("env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        for listener in list(listeners):
            if listener.handler.__module__.split(".")[0] == "sphinx_thebe":
                listeners.remove(listener)
