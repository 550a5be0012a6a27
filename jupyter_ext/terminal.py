"""Texts of others on a terminal."""

from __future__ import annotations


def one_line(text: str) -> str:
    """All of ``text`` on one line, without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
