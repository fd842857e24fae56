"""Chromium, a Vault with people and work in it, and pages that watch what goes wrong on them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))  # the modules that the browser tests share
pytest.register_assert_rewrite("scene", "watch", "routes", "looks", "forms")

from scene import Scene, set_scene  # noqa: E402 - by the path above
from visits import DESKTOP, PATIENCE, PHONE, Shot, Visit, shoot  # noqa: E402
from watch import Watch  # noqa: E402


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, one for each file: while it runs its event loop bars those of other tests."""
    path = shutil.which("chromium")
    if path is None:
        no_chromium = "there is no Chromium on this machine: see tests/install-debian"
        if os.environ.get("CI") == "true":
            pytest.fail(no_chromium)
        pytest.skip(no_chromium)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@contextmanager
def _scenes(directories: pytest.TempPathFactory) -> Iterator[Callable[..., Scene]]:
    with ExitStack() as stack, ThreadPoolExecutor(1) as aside:  # aside: Playwright's event loop is in this thread

        def set_one(**settings: Any) -> Scene:
            opened = set_scene(directories.mktemp("scene"), **settings)
            return aside.submit(stack.enter_context, opened).result()

        yield set_one


@pytest.fixture(scope="module")
def new_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Scene]]:
    """`new_scene(furnished=False, jwt_ttl=1)`: a running Vault with its scene, until the file's end."""
    with _scenes(tmp_path_factory) as set_one:
        yield set_one


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two tenants with people of each role, policies, and requests in every state. Files that change anything set a
    scene of their own."""
    with _scenes(tmp_path_factory) as set_one:
        yield set_one()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fails the test for what the browser complained about, unless the test said that it expects it."""
    watch = Watch()
    yield watch
    assert not watch.complaints, "\n".join(watch.complaints)


@pytest.fixture
def visit(chromium: Browser, scene: Scene, watch: Watch, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("owner", phone=True, java_script_enabled=False)`: a page in a fresh browser, signed in as one of our
    people or as nobody. At the end of the test there is a screenshot of each."""
    pages: list[Page] = []
    with ExitStack() as stack:

        def open_page(role: str | None = None, *, phone: bool = False, **options: Any) -> Page:
            settings = {"base_url": scene.url, "reduced_motion": "reduce", **(PHONE if phone else DESKTOP), **options}
            context = chromium.new_context(**settings)
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE)
            watch.over(context)
            if role is not None:
                where: Any = {"domain": "127.0.0.1", "path": "/", "secure": True, "httpOnly": True, "sameSite": "Lax"}
                cookies = scene.cookies(role).items()
                context.add_cookies([{"name": name, "value": value, **where} for name, value in cookies])
            pages.append(context.new_page())
            return pages[-1]

        yield open_page
        for number, page in enumerate(pages, start=1):
            if page.url != "about:blank":
                shoot(page, request.node, f"end-{number}" if len(pages) > 1 else "end")


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Shot:
    """`shot(page, "what it shows")` keeps a screenshot."""
    return lambda page, name: shoot(page, request.node, name)


@pytest.fixture
def page(visit: Visit) -> Page:
    """A desktop, nobody signed in."""
    return visit()


@pytest.fixture
def phone(visit: Visit) -> Page:
    """A phone, nobody signed in."""
    return visit(phone=True)
