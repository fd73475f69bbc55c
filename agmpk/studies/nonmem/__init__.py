"""NONMEM-style tables in and out: ``FORMAT.md`` beside this file says what they hold."""
