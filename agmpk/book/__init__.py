"""How the pages are built: tiers, the cache, the notebook runner, the build, the look of a page.

Notebooks import from here only what shapes a page::

    from agmpk.book.plots import show, use_book_style  # show(fig, alt="...", caption="...")
    from agmpk.book.tables import show_table   # show_table(frame, "Caption")

``agmpk book --help`` runs the rest. Nothing is imported here: a chapter rests on the modules that
its kernel executes, and must not rest on the runner.
"""
