"""How the pages are built: tiers, the cache, the notebook runner, the build, the look of a page.

Notebooks import from here only what shapes a page::

    from agmpk.book.style import COLOURS, label_axes, use_book_style
    from agmpk.book.plots import show          # show(fig, alt="...", caption="...")
    from agmpk.book.tables import show_table   # show_table(frame, "Caption")

``agmpk book --help`` runs the rest. Nothing is imported here: the digest of a chapter covers the
modules it imports, and must not cover the runner.
"""
