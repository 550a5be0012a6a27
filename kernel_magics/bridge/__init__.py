"""The bridge: the notebook's kernel speaks for a remote one.

::

    front-end ⇄ ipykernel's handlers ─ execute, comms, questions ─▶ remote ─▶ holder ═══ agent ⇄ remote kernel
                        ▲                                                      │
                        └── outbox ◀── relay ◀── records ◀─────────────────────┘

:mod:`~kernel_magics.bridge.bridge` puts the parts together; :mod:`~kernel_magics.bridge.ipykernel_names`
is the one file that knows what is private in ipykernel. What a user may notice is listed in
``docs/bridge-differences.md``.
"""
