"""Every page of the dashboard in a browser: how it looks and behaves for whoever sees all of it, and for nobody.

What other roles see is less of the same; how each page answers them is in `test_answers.py`.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

import looks
from ledgix_vault.tenancy.people import Role
from routes import GETS, Route
from scene import Scene
from visits import PHONE, Shot, Visit, get
from watch import Watch

LOOKED_AT_AS = (Role.OWNER, None)


@pytest.mark.parametrize("role", LOOKED_AT_AS, ids=str)
@pytest.mark.parametrize("route", GETS, ids=str)
def test_page(scene: Scene, visit: Visit, shot: Shot, route: Route, role: Role | None) -> None:
    answer = get(scene, route, role)
    if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
        look(visit(role), route.filled(scene.ours.ids), shot)


def test_the_page_of_a_refusal(visit: Visit, watch: Watch, shot: Shot) -> None:
    watch.expect(403)
    look(visit(Role.REVIEWER), "/app/settings/people", shot)


def look(page: Page, address: str, shot: Shot) -> None:
    """Everything that each page has to be."""
    page.goto(address)
    looks.stands_still(page)
    looks.has_one_heading(page)
    looks.works_by_keyboard(page)
    looks.is_accessible(page, "light")
    shot(page, "light")
    page.emulate_media(color_scheme="dark")
    looks.is_accessible(page, "dark")
    page.set_viewport_size(PHONE["viewport"])
    looks.fits_a_phone(page)  # the last screenshot, dark and narrow, is taken at the end of the test
