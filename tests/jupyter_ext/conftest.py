"""A real Jupyter Server with the extension, for tests that run with ``-p pytest_jupyter.jupyter_server``."""

from __future__ import annotations

import pytest
from traitlets.config import Config


@pytest.fixture
def jp_server_config() -> Config:
    """Our extension, and kernels whose death is noticed at once."""
    return Config(
        {
            "ServerApp": {"jpserver_extensions": {"jupyter_ext": True}},
            "KernelRestarter": {"time_to_dead": 0.3},
        }
    )
