"""`make bench`: every figure from one run on this machine, and the ratios that the targets are about.

Each load lasts a few seconds and goes to loopback only. The yardstick and the Vault are measured in turn, three times,
and the medians are compared, because other work on the machine changes what both can do.
"""

from __future__ import annotations

import os
import platform
import statistics

from rich.console import Console
from rich.table import Table

from documents import documents
from gateway import gateway
from kernels import audit, evaluations, indexed_evaluation, proofs
from pages import REQUESTS, pages
from servers import load, running_vault, running_yardstick

SECONDS = 4.0
ROUNDS = 3
YARDSTICK_PORT = 18999
TARGET_RATIO, TARGET_EVALUATIONS, TARGET_PROOFS = 0.45, 100_000, 20_000
TARGET_SEARCH, TARGET_PAGE = 20, 100
TARGET_CHECKED = 0.5
console = Console()


def main() -> None:
    """Measures everything and prints its tables."""
    console.print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {_processor()}")
    _clearances()
    _kernels()
    _documents()
    _pages()
    _gateway()


def _clearances() -> None:
    table = Table(
        "connections", "yardstick /s", "clearance /s", "ratio", "p50 ms", "p99 ms", title="Durable clearances"
    )
    with running_vault() as vault, running_yardstick(YARDSTICK_PORT) as yardstick:
        load(vault, 32, 1.0)  # warm up
        for connections in (1, 32, 128):
            console.print(f"measuring {connections} connections …", style="dim")
            pairs = [(load(yardstick, connections, SECONDS), load(vault, connections, SECONDS)) for _ in range(ROUNDS)]
            theirs = statistics.median(figures["requests_per_second"] for figures, _ in pairs)
            ours = statistics.median(figures["requests_per_second"] for _, figures in pairs)
            p50 = statistics.median(figures["p50_ms"] for _, figures in pairs)
            p99 = statistics.median(figures["p99_ms"] for _, figures in pairs)
            table.add_row(
                str(connections), f"{theirs:,.0f}", f"{ours:,.0f}", f"{ours / theirs:.2f}", f"{p50}", f"{p99}"
            )
    console.print(table)
    console.print(f"Target: a ratio of {TARGET_RATIO} at 32 connections.")


def _kernels() -> None:
    table = Table("what", "a second", "target", title="In one process, one core")
    for rules in (1, 3, 20, 200):
        target = f"{TARGET_EVALUATIONS:,}" if rules == 3 else ""
        decided, traced = evaluations(rules)
        table.add_row(f"decisions by {rules} rules that apply", f"{decided:,.0f}", target)
        table.add_row("… with the trace spelled out", f"{traced:,.0f}", "")
    table.add_row("one decision, 200 rules over 40 tools, p50", f"{indexed_evaluation():.1f} µs", "10 µs")
    for size in (10_000, 100_000, 1_000_000):
        console.print(f"growing a log of {size:,} …", style="dim")
        found = proofs(size)
        table.add_row(f"inclusion proofs, {size:,} events, cold", f"{found['cold']:,.0f}", "")
        table.add_row(f"inclusion proofs, {size:,} events, warm", f"{found['warm']:,.0f}", f"{TARGET_PROOFS:,}")
    table.add_row("events audited (hash, leaf, receipt)", f"{audit():,.0f}", "")
    console.print(table)


def _documents() -> None:
    table = Table("what", "ms", "target", title="Documents, on SQLite")
    found = documents()
    table.add_row("a PDF of 100 pages, from its bytes to durable", f"{found['ingest']:,.0f}", "")
    table.add_row("finding clauses among 10,000, p50", f"{found['p50']:.1f}", f"{TARGET_SEARCH}")
    table.add_row("… p99", f"{found['p99']:.1f}", "")
    console.print(table)


def _pages() -> None:
    table = Table("page", "p50 ms", "slowest ms", "target", title=f"Pages with {REQUESTS:,} requests, on SQLite")
    console.print(f"filling a ledger with {REQUESTS:,} requests …", style="dim")
    for name, (median, slowest) in pages().items():
        table.add_row(name, f"{median:.1f}", f"{slowest:.1f}", f"{TARGET_PAGE}")
    console.print(table)


def _gateway() -> None:
    table = Table("through", "requests /s", "ratio", "p50 ms", "p99 ms", title="The gateway, 32 connections")
    found = gateway()
    unchecked = found["ours, without checks (open route)"]["requests_per_second"]
    for name, figures in found.items():
        rate = figures["requests_per_second"]
        table.add_row(name, f"{rate:,.0f}", f"{rate / unchecked:.2f}", f"{figures['p50_ms']}", f"{figures['p99_ms']}")
    console.print(table)
    console.print(f"Target: a ratio of {TARGET_CHECKED} with checks.")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
