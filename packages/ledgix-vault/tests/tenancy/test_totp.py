"""One-time codes: the vectors of RFC 6238, the window, and that no code counts twice."""

from __future__ import annotations

import pyotp
import pytest

from ledgix_vault.tenancy.recovery_codes import HOW_MANY, codes_digest, hash_recovery_code, new_recovery_codes
from ledgix_vault.tenancy.totp import STEP_SECONDS, enrolment_uri, matching_step, new_totp_secret

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # base32 of "12345678901234567890", RFC 6238 appendix B
# Appendix B's SHA-1 column has eight digits; six-digit codes are their last six (RFC 4226 section 5.3).
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


def at(seconds: float) -> int:
    return round(seconds * 1_000_000)


@pytest.mark.parametrize(("moment", "code"), VECTORS.items())
def test_the_vectors_of_the_rfc(moment: int, code: str) -> None:
    assert matching_step(SECRET, code[-6:], at(moment), 0) == moment // STEP_SECONDS


@pytest.mark.parametrize(
    ("seconds_off", "counts"), [(-30.5, False), (-30, True), (0, True), (29.9, True), (59.9, True), (60, False)]
)
def test_a_code_counts_in_its_step_and_the_ones_beside_it(seconds_off: float, counts: bool) -> None:
    begins = 1111111110  # of the step of 1111111111
    found = matching_step(SECRET, "050471", at(begins + seconds_off), 0)
    assert found == (begins // STEP_SECONDS if counts else None)


def test_a_step_that_was_used_and_those_before_it_count_no_more() -> None:
    present = 1111111111 // STEP_SECONDS
    assert matching_step(SECRET, "050471", at(1111111111), present) is None
    assert matching_step(SECRET, "081804", at(1111111111), present) is None
    assert matching_step(SECRET, pyotp.TOTP(SECRET).generate_otp(present + 1), at(1111111111), present) == present + 1


def test_a_code_may_be_typed_with_spaces() -> None:
    assert matching_step(SECRET, " 050 471 ", at(1111111111), 0) is not None


@pytest.mark.parametrize("typed", ["", "05047", "0504711", "050 47x", "٠٥٠٤٧١", "050471\0", "-50471", "0x5047"])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert matching_step(SECRET, typed, at(1111111111), 0) is None


def test_a_secret_has_160_bits_and_its_uri_names_whose_it_is() -> None:
    secret = new_totp_secret()
    assert len(pyotp.TOTP(secret).byte_secret()) == 20
    uri = enrolment_uri(secret, "me+you@example.com")
    parsed = pyotp.parse_uri(uri)
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.name, parsed.issuer) == (secret, "me+you@example.com", "Ledgix")


def test_recovery_codes_are_distinct_and_found_however_they_are_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == HOW_MANY
    for code in codes:
        expected = hash_recovery_code(code)
        confused = code.replace("O", "0").replace("I", "1").replace("B", "8")
        for typed in (code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code}\n", confused):
            assert hash_recovery_code(typed) == expected
    assert len({hash_recovery_code(code) for code in codes}) == HOW_MANY


def test_a_set_of_codes_has_one_digest_in_any_order() -> None:
    hashes = [hash_recovery_code(code) for code in new_recovery_codes()]
    assert codes_digest(hashes) == codes_digest(reversed(hashes))
    assert codes_digest(hashes) != codes_digest(hashes[1:])
