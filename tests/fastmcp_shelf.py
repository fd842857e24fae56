"""A server made with FastMCP: `python fastmcp_shelf.py FILE`. Each line of FILE is a call that reached it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastmcp import FastMCP

server: FastMCP[Any] = FastMCP("shelf")


@server.tool
def take(item: str, count: int = 1) -> dict[str, Any]:
    """Takes something from the shelf."""
    with Path(sys.argv[1]).open("a", encoding="utf-8") as calls:
        calls.write(json.dumps({"tool": "take", "item": item, "count": count}) + "\n")
    return {"item": item, "count": count}


if __name__ == "__main__":
    server.run(show_banner=False)
