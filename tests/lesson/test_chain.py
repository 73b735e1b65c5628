"""The chain of callers, and what each may do."""

from __future__ import annotations

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.lab.loader import load
from stslab.lesson.access import chain
from stslab.resources import bundled

KNOWN = {"user": "u-a1", "role_arn": "arn:aws:iam::111122223333:role/r", "session_name": "s"}


def test_each_caller_with_its_description_and_permissions() -> None:
    lab = load(bundled() / "lab" / "steps.yaml", catalogue=BotocoreCatalogue())
    stages = [one.id for one in lab.stages]
    names = {"ROLE": KNOWN["role_arn"]}
    admin, sts, assumed = chain(lab, stages, KNOWN, names)
    assert (admin.who, admin.depth, admin.what) == ("admin", 0, "")
    assert (sts.who, sts.depth, sts.what) == ("sts", 1, "the user u-a1")
    assert (assumed.depth, assumed.what) == (2, "a session of $ROLE")
    assert sts.may == ("assume the role",)
    assert "get an object" in assumed.may
    assert [one.what for one in chain(lab, stages, {}, {})] == ["", "", ""]
    assert [one.who for one in chain(lab, [], KNOWN, {})] == ["admin"]


def test_a_web_identity_session_is_described_without_its_token() -> None:
    lab = load(bundled() / "lab" / "web-identity.yaml", catalogue=BotocoreCatalogue())
    links = chain(lab, ["audience"], KNOWN, {"ROLE": KNOWN["role_arn"]})
    assert [one.what for one in links] == ["", "a session of $ROLE, by a token"]


def test_each_caller_is_below_its_source() -> None:
    lab = load(bundled() / "lab" / "who-am-i.yaml", catalogue=BotocoreCatalogue())
    stages = [one.id for one in lab.stages]
    links = chain(lab, stages, {}, {})
    found = [(one.who, one.depth) for one in links]
    assert found[:3] == [("admin", 0), ("mine", 1), ("session", 2)]
    assert found[-2:] == [("partner", 0), ("theirs", 1)]
    what = {one.who: one.what for one in links}
    assert what["half"] == "a session of the same user, but without its token"
    assert what["mistyped"] == "a session of the same user, but with another secret"
    ended, ever = (
        next(one for one in each if one.who == "session")
        for each in (links, chain(lab, stages, {}, {}, ever=True))
    )
    assert (ended.may, ever.may) == ((), ("list all buckets",))


def test_what_is_asked_next_is_left_out() -> None:
    lab = load(bundled() / "lab" / "mfa.yaml", catalogue=BotocoreCatalogue())
    stages = [one.id for one in lab.stages[:4]]
    badge = chain(lab, stages, {}, {}, asked={("list-buckets", "badge")})[-1]
    assert (badge.who, badge.may) == ("badge", ("list users",))
