"""What every page owes to the people in front of it, as checks on an open page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LAYOUT_SHIFT = 0.05
TABS = 80  # nobody presses the key more often than this to come to what a page is for

_SHIFTS = """() => new Promise(resolve => {
  let sum = 0;
  const add = list => { for (const shift of list.getEntries()) if (!shift.hadRecentInput) sum += shift.value; };
  const observer = new PerformanceObserver(add);
  observer.observe({type: "layout-shift", buffered: true});
  const tell = () => { add({getEntries: () => observer.takeRecords()}); resolve(sum); };
  requestAnimationFrame(() => requestAnimationFrame(tell));
})"""

_WIDER = """() => [...document.querySelectorAll("body *")]
  .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .filter(each => !each.closest(".table-wrap, pre, [data-scrolls]"))
  .slice(0, 5).map(each => each.outerHTML.slice(0, 120))"""

_FOCUS = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const seen = getComputedStyle(focused), box = focused.getBoundingClientRect();
  const outlined = seen.outlineStyle !== "none" && parseFloat(seen.outlineWidth) >= 1;
  return {
    main: focused.matches("[data-main-action]"),
    visible: focused.matches(":focus-visible") && (outlined || seen.boxShadow !== "none") && box.width > 0,
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    what: focused.outerHTML.slice(0, 160),
  };
}"""

_MARK_MAIN_ACTION = """() => {
  const shown = each => each.checkVisibility();
  const able = "a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select, textarea, summary";
  const main = document.querySelector("main");
  const found = selector => [...main.querySelectorAll(selector)].find(each => shown(each) && !each.closest(".note"));
  const action = found(".button[data-kind=primary], .button[data-kind=good]") ?? found(able);
  action?.setAttribute("data-main-action", "");
  return Boolean(action);
}"""


def has_one_heading(page: Page) -> None:
    """A title, a language, and exactly one h1."""
    assert page.title().strip(), "the page has no title"
    assert page.locator("html").get_attribute("lang") == "en"
    assert [each.strip() for each in page.locator("h1").all_inner_texts()] != [""]
    assert page.locator("h1").count() == 1, page.locator("h1").all_inner_texts()


def stands_still(page: Page) -> None:
    """Nothing moved under the reader's eyes while the page came."""
    shift = page.evaluate(_SHIFTS)
    assert shift < LAYOUT_SHIFT, f"cumulative layout shift: {shift}"


def fits_a_phone(page: Page) -> None:
    """Nothing to scroll to the side, however narrow; what is wide scrolls in itself."""
    width, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= shown, f"the page is {width} px wide, of which {shown} are shown: {page.evaluate(_WIDER)}"


def is_accessible(page: Page, scheme: str) -> None:
    """Axe has no serious and no critical finding. Of the dark only the contrast is asked: the rest is the same."""
    axe = Axe(AXE_SCRIPT if scheme == "light" else "")  # the dark comes second: the script is in the page
    options = {"resultTypes": ["violations"], **({} if scheme == "light" else {"runOnly": ["color-contrast"]})}
    response = axe.run(page, options=options).response
    found = [_told(each) for each in response["violations"] if each["impact"] in ("serious", "critical")]
    assert not found, f"{scheme}: " + "\n".join(found)


def _told(violation: dict[str, Any]) -> str:
    nodes = [f"  {node['html'][:200]}\n    {node['failureSummary']}" for node in violation["nodes"][:5]]
    return "\n".join([f"{violation['id']} ({violation['impact']}): {violation['help']}", *nodes])


def works_by_keyboard(page: Page) -> None:
    """The tabulator reaches what the page is for, and wherever it stops on its way can be seen."""
    if not page.evaluate(_MARK_MAIN_ACTION):
        return
    for _ in range(TABS):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        assert focus is not None, "the focus left the page before it came to what the page is for"
        assert focus["visible"], f"the focus can't be seen on {focus['what']}"
        assert focus["inside"], f"the focus is outside of what is shown: {focus['what']}"
        if focus["main"]:
            return
    raise AssertionError(f"{TABS} tabulators don't reach what the page is for")
