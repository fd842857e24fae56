"""Hosts out of any text: total, in one spelling, and never more than a pattern means."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ledgix_vault.policy.hosts import host_matches, host_of, normal_host

tricky = st.text(st.sampled_from("aeAE.@:/\\?#[]%*-_ \t\u3002\uff0e\u00df\u00fc\u200d0x1"), max_size=30)
addresses = st.one_of(
    st.text(max_size=40),
    tricky,
    st.builds("https://{}".format, tricky),
    st.builds("https://{}.example.com".format, tricky),
)


@given(addresses)
@example("https://[::1")
@example("https://example.com\u2100")
@example("//" + "a" * 70 + ".example.com")
def test_a_host_has_one_spelling(address: str) -> None:
    host = host_of(address)
    if host is not None:
        assert normal_host(host) == host
        assert host.isascii()
        assert host == host.lower()
        assert not set(host) & set("@/\\?#[]%* \t")


@given(addresses)
def test_a_subdomain_pattern_means_subdomains_only(address: str) -> None:
    host = host_of(address)
    if host is not None and host_matches("*.example.com", host):
        assert host.endswith(".example.com")
        assert host_of(f"https://{host}/") == host


@given(st.text(max_size=30), addresses)
def test_any_pattern_has_an_answer(pattern: str, address: str) -> None:
    host = host_of(address)
    if host is not None:
        assert host_matches(pattern, host) in (True, False)
