"""Pages and answers are asked of a Vault on SQLite: the operations behind them are tested on both engines."""

from __future__ import annotations

import pytest
from vault_testing.house import Template


@pytest.fixture
def template(sqlite_template: Template) -> Template:
    return sqlite_template
