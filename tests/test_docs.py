"""What the documents show works: their shell and Python blocks are run in order against a real Vault.

A block of `text` right after one that was run is what it must have printed, `…` standing for anything. A block after
a comment `<!-- not run: why -->` is left out. Relative links lead somewhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
RUN = [
    *("README.md", "docs/getting-started.md", "docs/from-a-pdf.md", "docs/policy-versions.md", "docs/reviews.md"),
    *("docs/verifying.md", "docs/gateway.md", "docs/gateway-mcp.md"),
]
BLOCK = re.compile(r"(?P<not_run><!-- not run: [^>]*-->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    line: int


def blocks(document: str) -> Iterator[Block]:
    text = (ROOT / document).read_text("utf-8")
    for found in BLOCK.finditer(text):
        if found["not_run"] is None and found["kind"] in ("sh", "python", "text"):
            yield Block(found["kind"], found["text"], text.count("\n", 0, found.start()) + 1)


@pytest.mark.parametrize("document", RUN)
def test_documented_commands_work(document: str, tmp_path: Path) -> None:
    local_vault = _load(ROOT / "examples/refunds/local_vault.py")
    desk = tmp_path / "desk"
    desk.mkdir()
    with local_vault.running(tmp_path / "vault") as vault:
        environment = local_vault.environment(
            PATH=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            LEDGIX_VAULT_URL=vault.url,
            LEDGIX_VAULT_API_KEY=vault.api_key,
            LEDGIX_REVIEW_POLL_INTERVAL="0.1",
            VAULT_DATA_DIR=str(vault.directory),
        )
        printed = ""
        for block in blocks(document):
            where = f"{document}:{block.line}"
            if block.kind == "text":
                assert re.fullmatch(_pattern(block.text), printed.strip()), f"{where}: printed was\n{printed}"
                continue
            command = ["bash", "-euo", "pipefail", "-c"] if block.kind == "sh" else [sys.executable, "-c"]
            done = subprocess.run(
                [*command, block.text],
                cwd=desk,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{where}: {done.stdout}"
            printed = done.stdout


PLACES = ("*.md", "docs/**/*.md", "packages/*/*.md", "examples/*/*.md", "benchmarks/*.md")


@pytest.mark.parametrize(
    "document", sorted(str(path.relative_to(ROOT)) for place in PLACES for path in ROOT.glob(place))
)
def test_links_lead_somewhere(document: str) -> None:
    here = ROOT / document
    dead = [link for link in LINK.findall(here.read_text("utf-8")) if not (here.parent / link).exists()]
    assert not dead


def test_the_architecture_names_every_room() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for package in ("ledgix/src/ledgix", "ledgix-vault/src/ledgix_vault", "ledgix-gateway/src/ledgix_gateway"):
        rooms = [path for path in (ROOT / "packages" / package).iterdir() if (path / "__init__.py").exists()]
        modules = [path for path in (ROOT / "packages" / package).glob("*.py") if path.stem != "__init__"]
        named = [f"`{room.name}/`" for room in rooms] + [f"`{module.name}`" for module in modules]
        assert not [name for name in named if name not in page]


def test_every_decision_is_listed() -> None:
    decisions = ROOT / "docs" / "decisions"
    listed = (decisions / "README.md").read_text("utf-8")
    assert not [path.name for path in decisions.glob("0*.md") if path.name not in listed]


def _pattern(shown: str) -> str:
    return re.escape(shown.strip()).replace("…", ".*")


def _load(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
