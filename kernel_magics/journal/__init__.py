"""Journals: the append-only files that are the truth about every run.

:mod:`~kernel_magics.journal.format` spells the bytes (``docs/journal-format.md`` is the specification),
:mod:`~kernel_magics.journal.writer` appends, :mod:`~kernel_magics.journal.reader` reads and resumes,
:mod:`~kernel_magics.journal.watch` waits for growth, :mod:`~kernel_magics.journal.lock` knows who is alive.
"""
