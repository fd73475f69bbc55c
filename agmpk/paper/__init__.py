"""How this book's numbers were made: what fills ``data/``, and what the published claims are held
against. ``agmpk paper --help`` lists the commands."""
