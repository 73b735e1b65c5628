"""Caches of untrusted requests and policies are bounded in memory."""

import gc
import json
import tracemalloc
from itertools import count

import pytest
from tests.policy.cases import allow, case, decide, policy

from stslab.policy.patterns import SHORT, remembered

SIZE = 200_000
COUNT = 12
_NUMBERS = count()


def dates(value):
    document = policy(allow(Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}))
    return {"context": {"aws:CurrentTime": value}, "identity_policies": [document]}


def numbers(value):
    document = policy(allow(Condition={"NumericLessThan": {"s3:max-keys": "10"}}))
    return {"context": {"s3:max-keys": value}, "identity_policies": [document]}


def addresses(value):
    document = policy(allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    return {"context": {"aws:SourceIp": value}, "identity_policies": [document]}


def texts(value):
    document = policy(allow(Condition={"StringLike": {"s3:prefix": "a*b?c"}}))
    return {"context": {"s3:prefix": value}, "identity_policies": [document]}


LARGE = {
    "a principal": lambda text: {"principal": f"arn:aws:iam::111122223333:user/{text}"},
    "text that is not a principal": lambda text: {"principal": text},
    "a service": lambda text: {"principal": f"{text}.amazonaws.com"},
    "an action": lambda text: {"action": f"s3:{text}"},
    "an action that a policy has": lambda text: (
        {"action": f"s3:{text}"} | {"identity_policies": [policy(allow("s3:*"))]}
    ),
    "an allowed action of a resource's policy": lambda text: (
        {"action": f"s3:{text}"} | {"resource_policy": policy({**allow("s3:*"), "Principal": "*"})}
    ),
    "a resource": lambda text: {"resource": f"arn:aws:s3:::{text}"},
    "an account": lambda text: {"resource_account": text},
    "a unique id": lambda text: {"context": {"aws:userid": text}},
    "a key": lambda text: {"context": {f"aws:{text}": "x"}},
    "a date": dates,
    "a number": numbers,
    "an address": addresses,
    "a text": texts,
    "an operator": lambda text: {
        "identity_policies": [policy(allow(Condition={text: {"aws:x": "y"}}))]
    },
    "an element": lambda text: {"identity_policies": [policy(allow(**{text: "x"}))]},
}


@pytest.mark.parametrize("fill", LARGE.values(), ids=LARGE)
def test_large_requests_are_not_cached(fill):
    """A dozen requests of 200 kB, each another: hardly anything of these 2.4 MB stays."""
    texts = (f"{next(_NUMBERS):06}{'9' * SIZE}" for _ in range(COUNT))
    assert grown(case() | fill(text) for text in texts) < SIZE * 3


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
def test_caches_of_large_policies_are_bounded(as_text):
    """A dozen policies of 1.2 MB, each another and too large to be worth it."""

    def cases():
        for number in range(COUNT):
            document = policy(allow(resource=f"arn:aws:s3:::{number:06}{'x' * SIZE * 6}"))
            yield case(identity_policies=[json.dumps(document) if as_text else document])

    assert grown(cases()) < SIZE * 6 * 3


def grown(cases):
    """How many bytes more are in use after all cases were decided."""
    decide(case())
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for each in cases:
            decide(each)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_short_texts_are_read_once_and_long_ones_each_time():
    read = []

    @remembered(2)
    def reads(text: str) -> int:
        read.append(text)
        return len(text)

    for text in ("a", "a", "b" * SHORT, "b" * SHORT):
        assert reads(text) == len(text)
    assert read == ["a", "b" * SHORT, "b" * SHORT]
