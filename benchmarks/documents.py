"""What documents cost: reading a PDF of 100 pages and storing it, and finding clauses among 10,000."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from fpdf import FPDF

from ledgix_vault.app import initialise, open_vault
from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.create_tenant import Owner
from ledgix_vault.operations.search_documents import Question, search_documents
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.settings import Settings
from ledgix_vault.sources.document import MediaKind, Origin
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.vault import Vault
from postgres import analyze

SEED = 20260101
PAGES, CLAUSES, QUESTIONS = 100, 10_000, 200
_VOCABULARY = (
    "refund payment supplier invoice approval manager customer account transfer limit budget contract travel flight"
    " hotel receipt export contact consent record retention breach access password administrator salary holiday"
    " certificate badge visitor production database currency discount voucher delivery return warranty damage fraud"
    " dispute card bank deposit guarantee loan interest tax audit register purpose processor region carrier portal"
)
WORDS = _VOCABULARY.split()
_COMMON = "the of a must not be without for any above"


def documents(database_url: str | None = None) -> dict[str, float]:
    """Milliseconds: `ingest` of the PDF, from its bytes to durable; `p50` and `p99` of a search. On SQLite, or in an
    empty PostgreSQL database."""
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings.load(data_dir=Path(directory) / "vault", database_url=database_url)
        made = initialise(settings, "bench", Owner("owner@example.com", "no hash"))
        with open_vault(settings) as opened:
            caller = opened.vault.store.key_by_hash(hash_secret(made.api_key))
            assert caller is not None
            return asyncio.run(_measure(opened.vault, caller))


async def _measure(vault: Vault, caller: ApiKey) -> dict[str, float]:
    chance = random.Random(SEED)
    pdf = Incoming(None, "policy.pdf", MediaKind.PDF, Origin.UPLOAD, _pdf(chance))
    started = time.perf_counter()
    version, _ = await add_document(vault, caller, pdf, None)
    ingest = time.perf_counter() - started
    assert version.pages == PAGES
    for number in range(10):
        text = "\n\n".join(f"# Clause {number}.{clause}\n\n{_sentence(chance)}" for clause in range(CLAUSES // 10))
        await add_document(
            vault, caller, Incoming(None, f"{number}.md", MediaKind.MARKDOWN, Origin.UPLOAD, text.encode()), None
        )
    analyze(vault.settings.database_url)
    times = []
    for _ in range(QUESTIONS):
        question = Question(" ".join(chance.sample(WORDS, 6)))
        started = time.perf_counter()
        assert await search_documents(vault, caller, question, limit=5)
        times.append(time.perf_counter() - started)
    centiles = statistics.quantiles(times, n=100)
    return {"ingest": 1000 * ingest, "p50": 1000 * centiles[49], "p99": 1000 * centiles[98]}


def _sentence(chance: random.Random) -> str:
    """Some words of a policy among many that stand in one clause or two."""
    rare = [f"{chance.choice(WORDS)}{chance.randrange(5000)}" for _ in range(10)]
    words = [
        *chance.sample(WORDS, 12),
        *rare,
        *["the", "of", "a", "must", "not", "be", "without", "for", "any", "above"],
    ]
    chance.shuffle(words)
    return " ".join(words).capitalize() + "."


def _pdf(chance: random.Random) -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=11)
    for page in range(1, PAGES + 1):
        made.add_page()
        for clause in range(1, 6):
            made.multi_cell(0, 5, f"{page}.{clause} {_sentence(chance)} {_sentence(chance)}", new_x="LMARGIN")
            made.ln(2)
    return bytes(made.output())


if __name__ == "__main__":
    print(documents(*sys.argv[1:]))
