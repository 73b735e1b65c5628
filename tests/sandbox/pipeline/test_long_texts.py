"""No long text of a request keeps the process busy: each would take minutes if it were read twice.

Times are not measured: what is quadratic does not end here.
"""

from collections.abc import Callable

import pytest

from stslab.errors import MalformedPolicy
from stslab.policy import patterns
from stslab.policy.documents import document, grammar
from stslab.sandbox.api import http
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.iam import simulation
from stslab.sandbox.s3 import settings
from stslab.sandbox.s3.access import acl

LONG = 400_000


@pytest.mark.parametrize(
    ("matches", "text"),
    [
        pytest.param(http._HEADER.fullmatch, f"a:{' ' * LONG}\x01\r\n", id="header"),
        pytest.param(acl._GRANTEE.fullmatch, f'id={" " * LONG}"x"y', id="grantee"),
        pytest.param(grammar._VAGUE.match, f"arn:{'*' * LONG}:x", id="service of an ARN"),
        pytest.param(grammar._PARTITION.fullmatch, "*" * LONG + "$", id="partition"),
        pytest.param(grammar._PLACE.fullmatch, f"ec2:r:{'*' * LONG}\n", id="account"),
        pytest.param(patterns._DEFAULT.fullmatch, "a" + " " * LONG, id="variable's default"),
        pytest.param(simulation._VARIABLE.search, "${" + "a" * LONG, id="variable without end"),
    ],
)
def test_a_long_text_is_refused_at_once(matches: Callable[[str], object], text: str) -> None:
    assert matches(text) is None


def test_a_long_name_of_a_kms_key_is_read_at_once() -> None:
    key = f"arn:aws:kms:{':' * LONG}"
    assert settings._key_arn(key, "us-east-1", "111122223333") == key


def test_a_member_that_is_there_twice_is_found_at_once() -> None:
    pairs = [*((str(number), 0) for number in range(LONG)), ("7", 0)]
    with pytest.raises(MalformedPolicy):
        document._object(pairs)


HUGE = [
    "(?:" * 30 + "ab" + ")+" * 30,
    "(?:" * 9 + "a" + "){9}" * 9,
    "(?:(?:(?:a{99}b){99}c){99}d)+",
    "a{1000000000}",
    "(?:[ab]{900}c){900}",
    "(?:[" + r"\p{L}\d\W" * 100 + "]){20000}",
    "a{9000}" * 90,
    "(|){240000,}",
    "(){1000000000}",
    "()" * 20000,
    "(?:()){40000}",
    "((?:)(?=)(?i)){40000}",
    "(?x)" + "( )" * 20000,
    r"\R{240000}",
    r"\p{javaWhitespace}" * 40000,
]


@pytest.mark.parametrize("pattern", HUGE)
def test_a_pattern_that_would_fill_the_memory_is_refused(pattern: str) -> None:
    declared = {"P": {"Type": "String", "AllowedPattern": pattern}}
    with pytest.raises(ApiFault, match="Invalid AllowedPattern"):
        parameters.check_declarations(declared)


USUAL = [
    r"(([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\.){3}[0-9]{1,3}(/([0-9]|[1-2][0-9]|3[0-2]))",
    "|".join(
        rf"([0-9a-fA-F]{{1,4}}:){{1,{7 - n}}}(:[0-9a-fA-F]{{1,4}}){{1,{n}}}" for n in range(1, 7)
    ),
    "-".join([r"(\w+)+"] * 14),
    r"([a-z0-9]{3}){1000}",
    r"(?i)[a-z]{1,4096}(-(?:a|b){2,9})*",
]


@pytest.mark.parametrize("pattern", USUAL)
def test_a_usual_pattern_is_taken(pattern: str) -> None:
    parameters.check_declarations({"P": {"Type": "String", "AllowedPattern": pattern}})


def test_the_patterns_of_a_template_are_bounded_together() -> None:
    """All 200 would take half a minute."""
    usual = {f"P{number}": {"Type": "String", "AllowedPattern": USUAL[0]} for number in range(200)}
    parameters.check_declarations(usual)
    huge = {
        f"P{number}": {"Type": "String", "AllowedPattern": rf"a{{{number}}}\R{{20000}}"}
        for number in range(200)
    }
    with pytest.raises(ApiFault, match=r"Invalid AllowedPattern a\{2\}"):
        parameters.check_declarations(huge)
