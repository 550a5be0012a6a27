"""What a machine printed, as it may be shown: a terminal's control sequences are named, not obeyed."""

from __future__ import annotations


def plain(text: str) -> str:
    """``text`` with lines and tabs as they are, and every other character that is not printable as its escape
    (``\\x1b``); a carriage return before a line's end is left out.
    """
    return "".join(
        letter if letter in "\n\t" or letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text.replace("\r\n", "\n")
    )
