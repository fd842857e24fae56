"""The yardstick: a typed FastAPI endpoint that takes the same body, validates it and answers `{}`; nothing else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


class Body(BaseModel):
    """The fields of a clearance request."""

    tool_name: str = Field(min_length=1, max_length=256)
    tool_args: dict[str, Any] = {}
    agent_id: str = "default-agent"
    session_id: str = ""
    context: dict[str, Any] = {}
    human_principal: str | None = None
    parent_jti: str | None = None
    destination_uri: str | None = None
    destination_provider: str | None = None
    destination_account_ref: str | None = None
    data_categories: list[str] | None = None
    purpose: str | None = None
    processing_register_ref: str | None = None
    dataset_ref: str | None = None


@app.post("/request-clearance")
async def request_clearance(body: Body) -> dict[str, str]:
    """Nothing but reading, checking and answering."""
    return {}
