"""The proof that a browser checks by itself, in a real Chromium: published vectors, bundles that hold, every changed
value against the offline verifier, and the page."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.async_api import Page, Route, async_playwright
from vault_testing.house import House
from vault_testing.visitor import ORIGIN, Visitor, signed_in

from ledgix.errors import VerificationError
from ledgix.formats.json import from_python
from ledgix.verify.bundle import verify_bundle
from ledgix_vault.operations.read_ledger import Wanted, prove_bundle, prove_consistency
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

CHROMIUM = shutil.which("chromium")
VECTORS = Path(__file__).parents[4] / "vectors"
LABELS = {"seq", "checkpoint_id", "microblock_id", "export_uri", "export_status", "active_from", "related"}
"""Members that no hash covers (`ledgix.verify.bundle` says so), and the list of other events."""
RUN = """async (bundles) => {
  const { verifyBundle } = await import("/app/static/verify.js");
  const found = [];
  for (const bundle of bundles) {
    const steps = [];
    for await (const step of verifyBundle(bundle)) steps.push(step);
    found.push(steps);
  }
  return found;
}"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of our origin that has loaded nothing yet."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium on this machine")
        pytest.skip("there is no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        opened = await browser.new_page()
        yield opened
        await browser.close()


async def module_alone(page: Page) -> None:
    """The verifier as it is served, and nothing else."""
    source = files("ledgix_vault.web.dashboard").joinpath("static", "verify.js").read_text()

    async def answer(route: Route) -> None:
        is_module = route.request.url.endswith("verify.js")
        await route.fulfill(
            body=source if is_module else "<!doctype html><title>.</title>",
            content_type="text/javascript" if is_module else "text/html",
        )

    await page.route(f"{ORIGIN}/**", answer)
    await page.goto(f"{ORIGIN}/")


async def through(visitor: Visitor, page: Page) -> None:
    """The browser's requests reach the real application, as its own."""

    async def answer(route: Route) -> None:
        if route.request.url.endswith("/app/events"):
            await route.fulfill(status=204)
            return
        kept = {name: value for name, value in route.request.headers.items() if name != "cookie"}
        got = await visitor.client.request(route.request.method, route.request.url, headers=kept)
        await route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

    await page.route(f"{ORIGIN}/**", answer)


async def bundle_of(house: House, asked: Any, caller: Caller) -> dict[str, Any]:
    async def sign_now(_: str) -> None:
        await house.checkpoint()

    found = await prove_bundle(house.core, caller, Wanted(str(asked["request_id"])), sign_now)
    return cast("dict[str, Any]", json.loads(json.dumps(found, default=float)))


async def eventful(house: House) -> Any:
    """A reviewed request among others, with arguments that are awkward to hash."""
    await house.register("Refunds must not exceed $500", "Amounts above 100 USD need review")
    reviewer = await house.member(Role.REVIEWER)
    asked = await house.ask(450.5, context={"facts": {"\U0001f600b": 1e21 / 1e7, "é": [0.1, -3, True, None], "a": {}}})
    for amount in range(6):
        await house.ask(amount)
    await house.approve(asked, by=reviewer, reason="Doppelt belastet – “bitte” zurück \U0001f600")
    return asked


async def test_published_vectors(page: Page, template: Any) -> None:
    await module_alone(page)
    cases = json.loads((VECTORS / "cbor-rfc8949-appendix-a" / "appendix_a.json").read_text())
    told = await page.evaluate(
        """async (cases) => {
          const { cbor, Double } = await import("/app/static/verify.js");
          const hex = (bytes) => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
          return cases.map(({ value, double }) => hex(cbor(double ? new Double(value) : value)));
        }""",
        chosen := [
            {"value": case["decoded"], "double": case["hex"].startswith("fb"), "hex": case["hex"]}
            for case in cases
            if "decoded" in case and (case["hex"].startswith("fb") or (case["roundtrip"] and plain(case["decoded"])))
        ],
    )
    assert len(chosen) > 30
    assert told == [case["hex"] for case in chosen]
    folder = VECTORS / "rfc8785-jcs" / "testdata"
    for source in (folder / "input").iterdir():
        expected = (folder / "output" / source.name).read_text().rstrip("\n")
        canonical = 'async (text) => (await import("/app/static/verify.js")).jcs(JSON.parse(text))'
        assert await page.evaluate(canonical, source.read_text()) == expected, source.name


def plain(value: Any) -> bool:
    """What the contract's form holds, and JavaScript's numbers too."""
    if isinstance(value, dict):
        return all(plain(each) for each in value.values())
    if isinstance(value, list):
        return all(plain(each) for each in value)
    return not isinstance(value, float) and not (isinstance(value, int) and abs(value) >= 2**53)


async def test_published_trees_and_signatures(page: Page, template: Any) -> None:
    await module_alone(page)
    tree = json.loads((VECTORS / "rfc6962-ct-reference" / "ct_reference_tree.json").read_text())
    roots, leaves = tree["root_hashes_hex_by_size"], tree["node_hashes_hex"][0]
    proofs = [
        [leaves[case["index"]], case["index"], case["size"], case["proof"], roots[case["size"]]]
        for case in tree["inclusion"]
    ]
    held = await page.evaluate(
        """async (proofs) => {
          const { verifyInclusion } = await import("/app/static/verify.js");
          const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
          const holds = (leaf, index, size, path, root) =>
            verifyInclusion(bytes(leaf), index, size, path.map(bytes), bytes(root)).then(() => true, () => false);
          const found = [];
          for (const [leaf, index, size, path, root] of proofs) {
            found.push(await holds(leaf, index, size, path, root));
            found.push(!(await holds(leaf, index ^ 1, size, path, root)) || size === 1);
            if (path.length) found.push(!(await holds(leaf, index, size, path.slice(1), root)));
            found.push(!(await holds(leaf, index, size, [...path, root], root)));
          }
          return found;
        }""",
        proofs,
    )
    assert len(held) >= 3 * len(proofs) > 0
    assert all(held)
    groups = json.loads((VECTORS / "ed25519-wycheproof" / "testvectors_v1" / "ed25519_test.json").read_text())
    tests = [
        [group["publicKey"]["pk"], test["sig"], test["msg"], test["result"] == "valid"]
        for group in groups["testGroups"]
        for test in group["tests"]
    ]
    agreed = await page.evaluate(
        """async (tests) => {
          const { verifySignature } = await import("/app/static/verify.js");
          const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
          return Promise.all(tests.map(async ([key, signature, message, valid]) =>
            (await verifySignature(bytes(key), bytes(signature), bytes(message))) === valid));
        }""",
        tests,
    )
    assert len(agreed) > 100
    assert all(agreed)


async def test_bundles_hold_in_both_views(page: Page, vault: House) -> None:
    asked = await eventful(vault)
    agent = await vault.key(Preset.AGENT)
    await module_alone(page)
    full, redacted = await page.evaluate(
        RUN, [await bundle_of(vault, asked, vault.owner), await bundle_of(vault, asked, agent)]
    )
    assert [step["outcome"] for step in full] == ["holds"] * 6 + ["open"] * 2
    assert [step["outcome"] for step in redacted] == ["holds", "open"] + ["holds"] * 4 + ["open"] * 2


async def test_every_changed_value_is_found_as_the_offline_verifier_finds_it(page: Page, vault: House) -> None:
    asked = await eventful(vault)
    bundle = await bundle_of(vault, asked, vault.owner)
    changed = list(tampered(bundle))
    assert len(changed) > 100
    await module_alone(page)
    found = await page.evaluate(RUN, [each for _, each in changed])
    for (path, each), steps in zip(changed, found, strict=True):
        assert steps[-1]["outcome"] == "fails", path
        with pytest.raises(VerificationError):
            verify_bundle(cast("Any", from_python(each)))


async def test_a_later_checkpoint_is_followed(page: Page, vault: House) -> None:
    """As a bundle has it whose evidence was completed later on."""
    asked = await eventful(vault)
    bundle = await bundle_of(vault, asked, vault.owner)
    old = bundle["inclusion"]["checkpoint"]
    for amount in range(7):
        await vault.ask(amount)
    await vault.checkpoint()
    proof = await prove_consistency(vault.core, vault.owner, old["checkpoint_id"], old["checkpoint_id"] + 1)
    bundle["consistency"] = json.loads(json.dumps(proof))
    wrong = copy.deepcopy(bundle)
    wrong["consistency"]["path"][0] = "00" * 32
    await module_alone(page)
    good, bad = await page.evaluate(RUN, [bundle, wrong])
    verify_bundle(cast("Any", from_python(bundle)))
    assert [step["outcome"] for step in good] == ["holds"] * 7 + ["open"]
    assert (bad[-1]["name"], bad[-1]["outcome"]) == ("Later checkpoint", "fails")


def tampered(bundle: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bundle with one value changed, for every value that something covers."""
    for path in leaves(bundle):
        if LABELS & set(path):
            continue
        each = copy.deepcopy(bundle)
        place = each
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = other(place[path[-1]])
        yield ".".join(map(str, path)), each


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner:
        yield path
    for step, each in inner:
        yield from leaves(each, (*path, step))


def other(value: Any) -> Any:
    """Another value that looks as good."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value:
            return f"{'b' if value[0] == 'a' else 'a'}{value[1:]}"
        case dict():
            return {"more": 1}
        case list():
            return [{"more": 1}]
        case _:
            return "more"


async def test_the_page_says_that_a_record_holds(page: Page, vault: House) -> None:
    asked = await eventful(vault)
    await vault.checkpoint()
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        await through(visitor, page)
        await page.goto(f"{ORIGIN}/app/requests/{asked['request_id']}")
        await page.get_by_role("button", name="Verify this record").click()
        await page.get_by_text("This record is exactly what the ledger's key signed.").wait_for()
        assert await page.locator("[data-outcome=holds]").count() == 6


async def test_the_page_says_that_a_record_was_changed(page: Page, vault: House) -> None:
    asked = await eventful(vault)
    await vault.checkpoint()

    async def change(route: Route) -> None:
        got = await visitor.client.get(route.request.url)
        await route.fulfill(body=got.text.replace("450.5", "450.6"), content_type="application/json")

    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        await through(visitor, page)
        await page.route("**/bundle.json", change)
        await page.goto(f"{ORIGIN}/app/requests/{asked['request_id']}")
        await page.get_by_role("button", name="Verify this record").click()
        told = page.locator("[data-verify-result][data-kind=danger]")
        await told.wait_for()
        assert "This record does not hold" in await told.inner_text()
        assert await page.locator("[data-outcome=fails]").count() == 1


async def test_a_browser_without_ed25519_says_so(page: Page, vault: House) -> None:
    asked = await eventful(vault)
    await vault.checkpoint()
    without = "crypto.subtle.importKey = async () => { throw new DOMException('no', 'NotSupportedError'); };"
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        await through(visitor, page)
        await page.add_init_script(without)
        await page.goto(f"{ORIGIN}/app/requests/{asked['request_id']}")
        await page.get_by_role("button", name="Verify this record").click()
        await page.get_by_text("This browser can't verify Ed25519 signatures.").wait_for()
