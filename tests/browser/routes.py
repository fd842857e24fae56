"""What the dashboard has, by its own registration: a new page can't be forgotten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi.routing import APIRoute

from ledgix_vault.web.dashboard.app import PAGES, PREFIX

NOT_PAGES = {
    "/app/events": "a stream",
    "/app/sign-in/single-sign-on/back": "where another site sends a browser; alone it refuses",
}
VARIANTS = {
    "/app/": ["?range=30d"],
    "/app/requests": ["?outcome=denied&from=2020-01-01", "?tool=nothing"],
    "/app/policies-new": ["?starter=payments"],
    "/app/policies/{policy_id}/diff": ["?from=2&to=1"],
    "/app/policies/{policy_id}/simulation": ["?version=2&last=100"],
    "/app/documents": ["?q=refunds"],
    "/app/reviews": ["?status=any", "?status=expired"],
    "/app/playground": ["?like={request_id}", "?tool=stripe_refund"],
    "/app/reviews/batch": ["?id={request_id}"],
}
"""Pages that show something else when they are asked with a query."""


@dataclass(frozen=True)
class Route:
    """A method and a path, with its query; `parameters` are the names in braces."""

    method: str
    path: str

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)", self.path)

    def filled(self, ids: Mapping[str, str]) -> str:
        """The path with these ids in it."""
        missing = set(self.parameters) - ids.keys()
        assert not missing, f"{self}: the scene (scene.py) has no {missing}"
        return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: ids[found[1]], self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _registered(method: str) -> list[Route]:
    return [
        Route(method, PREFIX + route.path)
        for page in PAGES
        for route in page.router.routes
        if isinstance(route, APIRoute) and method in route.methods
    ]


def _with_variants(route: Route) -> list[Route]:
    return [route, *(Route("GET", route.path + query) for query in VARIANTS.get(route.path, ()))]


GETS = [each for route in _registered("GET") if route.path not in NOT_PAGES for each in _with_variants(route)]
POSTS = _registered("POST")
