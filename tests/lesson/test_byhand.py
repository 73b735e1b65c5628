"""Work by hand: which tasks are done, the notes beside them, and hints."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from tests.sandbox.direct import has_ended

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount
from stslab.errors import CheckFailed
from stslab.lab.loader import load
from stslab.lab.model import Stage
from stslab.lab.references import resolve
from stslab.lesson.byhand import ByHand, make
from stslab.resources import bundled
from stslab.runner.events import Event
from stslab.runner.journal.records import Skipped
from stslab.runner.ports import Answer, Call, Credentials, Given, Hand, HandWork
from stslab.vocabulary import LEARNER, PARTNER


@pytest.fixture(scope="module")
def account() -> InMemoryAccount:
    return InMemoryAccount()


class Known(Hand):
    """An account that knows these sessions."""

    sessions: Mapping[str, Given] = {}

    def look(self, _run: str, _own: Collection[str] = ()) -> HandWork:
        return HandWork(sessions=self.sessions)


@contextmanager
def by_hand(
    account: InMemoryAccount,
    lab_id: str,
    stage_id: str,
    log: Sequence[Any] = (),
    hand: Hand | None = None,
) -> Iterator[tuple[ByHand, Stage]]:
    """A stage of a lab, with the stages before it done; ``log`` is the account's log."""
    lab = load(bundled() / "lab" / f"{lab_id}.yaml", catalogue=BotocoreCatalogue())
    hands: list[ByHand] = []

    def hear(event: Event) -> None:
        for one in hands:
            one.hear(event)

    account.begin()
    with account.running(lab, hear, hand) as runner:
        stage = lab.stage(stage_id)
        assert stage
        for one in lab.stages[: lab.stages.index(stage)]:
            runner.run_stage(one.id)
        runner.begin_stage(stage.id)
        hands.append(ByHand(runner, account.decide, lambda: log))
        yield hands[0], stage


def call(account: InMemoryAccount, operation: str, who: str = "admin", **params: Any) -> Any:
    service, _, name = operation.partition(".")
    outcome = account.call(Call(who, service, name, params))
    assert isinstance(outcome, Answer), outcome
    return outcome.data


def assumes(account: InMemoryAccount, profile: str, who: str, **params: str) -> None:
    """Assume the role by hand, and write the session to the profile."""
    given = call(account, "sts.AssumeRole", who, **params)
    credentials = Credentials.found_in(given["Credentials"])
    assert credentials
    account.files.save(profile, credentials)


def test_a_session_has_the_name_that_the_task_names(account: InMemoryAccount) -> None:
    with by_hand(account, "narrower", "role") as (hand, stage):
        for at in range(2):
            hand.runner.do(stage, at)
        for name, done in (("mine", False), ("clerk", True)):
            role = hand.runner.scope()["role_arn"]
            assumes(account, "clerk", "admin", RoleArn=role, RoleSessionName=name)
            told = hand.look(stage)
            clerk = next(one for one in told.tasks if "named clerk" in one.text)
            assert clerk.done is done
            wrong = f"/{name}, but the task is: {clerk.text}"
            assert any(wrong in one for one in told.notes) is not done


def test_any_session_name_is_right_if_the_task_names_none(account: InMemoryAccount) -> None:
    with by_hand(account, "external-id", "external-id") as (hand, stage):
        hand.runner.do(stage, 0)
        role, ours = (hand.runner.scope()[one] for one in ("role_arn", "your_id"))
        assumes(account, "audit", "vendor", RoleArn=role, RoleSessionName="other", ExternalId=ours)
        assert hand.look(stage).done
        assert hand.look(stage).done  # once it is taken up, it stays so


def key_of(account: InMemoryAccount, profile: str) -> str:
    held = account.files.get(profile)
    assert held
    return held.access_key_id


LISTS = """{"Version": "2012-10-17", "Statement":
    {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}}"""
TRUST = """{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"AWS": "444455556666"},
    "Condition": {"StringLike": {"sts:ExternalId": "CUSTOMER"}}}}"""
ALL = LISTS.replace("s3:ListAllMyBuckets", "*")
SECONDS = 20.0


def test_a_session_has_mfa_if_the_task_says_so(account: InMemoryAccount) -> None:
    known = Known()
    with by_hand(account, "mfa", "session", hand=known) as (hand, stage):
        own = account.files.get("user")
        assert own
        account.files.save("plain", own)  # the user's key, and no session
        given = call(account, "sts.GetSessionToken", "user")
        credentials = Credentials.found_in(given["Credentials"])
        assert credentials
        account.files.save("badge", credentials)
        known.sessions = {credentials.access_key_id: Given(own.access_key_id, "", 43200, mfa=False)}
        told = hand.look(stage)
        assert [one.done for one in told.tasks] == [False, False]
        assert [one.split(" is ")[0] for one in told.notes if ", but " in one] == [
            "The profile plain",
            "The profile badge",
        ]
        account.files.save("plain", credentials)
        assert [one.done for one in hand.look(stage).tasks] == [True, False]


def test_a_session_lasts_as_long_as_the_task_says(account: InMemoryAccount) -> None:
    known = Known()
    with by_hand(account, "one-hour", "longer", hand=known) as (hand, stage):
        for at in range(2):
            hand.runner.do(stage, at)
        role = hand.runner.scope()["work_arn"]
        assumes(account, "direct", "admin", RoleArn=role, RoleSessionName="any")
        own, admin = key_of(account, "direct"), key_of(account, "admin")
        for seconds, said in ((3600, "1 h"), (5430, "1 h 30 min"), (14400, "")):
            known.sessions = {own: Given(admin, "", seconds, mfa=False)}
            told = hand.look(stage)
            assert told.tasks[-1].done is not bool(said)
            assert any(f"but it lasts {said}." in one for one in told.notes) is bool(said)


def test_the_time_that_is_shown_is_the_time_in_the_policy(account: InMemoryAccount) -> None:
    with by_hand(account, "one-hour", "revoke") as (hand, stage):
        shown = hand.runner.scope_to_show()["now"]
        call(account, "embedded.MoveClock", By=90)
        hand.runner.do(stage, 1)
        role = hand.runner.scope()["work_name"]
        put = call(account, "iam.GetRolePolicy", RoleName=role, PolicyName="RevokeOlderSessions")
        assert shown in str(put["PolicyDocument"])
        assert hand.runner.scope()["now"] > shown


def test_the_time_goes_on_after_a_step_by_hand(account: InMemoryAccount) -> None:
    with by_hand(account, "one-hour", "revoke") as (hand, stage):
        known = hand.runner.scope_to_show()
        step = stage.steps[1]
        call(account, step.call, **resolve(step.params, known))
        call(account, "embedded.MoveClock", By=90)
        assert hand.runner.scope()["now"] == known["now"]
        assert hand.runner.adopt(stage, 1)
        assert hand.runner.scope()["now"] > known["now"]


def test_a_policy_under_another_name_counts(account: InMemoryAccount) -> None:
    with by_hand(account, "external-id", "two-accounts") as (hand, stage):
        hand.runner.do(stage, 0)
        role = hand.runner.scope()["role"]
        for document, done in ((ALL, False), (LISTS, True)):
            call(account, "iam.PutRolePolicy", RoleName=role, PolicyName="mine",
                 PolicyDocument=document)  # fmt: skip
            assert [one.done for one in hand.look(stage).tasks] == [True, done, False, False]


def test_an_equivalent_trust_policy_counts(account: InMemoryAccount) -> None:
    with by_hand(account, "external-id", "external-id") as (hand, stage):
        role, ours = (hand.runner.scope()[one] for one in ("role", "your_id"))
        for customer, done in (("customer-*", False), (ours, True)):
            call(account, "iam.UpdateAssumeRolePolicy", RoleName=role,
                 PolicyDocument=TRUST.replace("CUSTOMER", customer))  # fmt: skip
            assert [one.done for one in hand.look(stage).tasks] == [done, False]


def test_a_policy_under_another_name_counts_before_other_tasks_are_done(
    account: InMemoryAccount,
) -> None:
    log = [{"eventTime": "9", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}] * 3
    with by_hand(account, "mfa", "device", log) as (hand, stage):
        for at in range(2):
            hand.runner.do(stage, at)
        work = resolve(stage.steps[2].params, hand.runner.scope())
        call(account, "iam.PutUserPolicy", **{**work, "PolicyName": "mine"})
        told = hand.look(stage)
        assert [one.done for one in told.tasks] == [True, True, True, False, False]
        assert told.notes == ()


def test_a_check_about_a_task_not_begun_is_not_mentioned(account: InMemoryAccount) -> None:
    change = {"eventTime": "9", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
              "requestParameters": {}}  # fmt: skip
    log: list[Any] = []
    with by_hand(account, "mfa", "device", log) as (hand, stage):
        phone = hand.runner.scope()["device"]
        for at in range(3):
            hand.runner.do(stage, at)
        assert hand.look(stage).notes == ()
        log += [change] * 4
        assert hand.look(stage).notes == (
            "This should be true, and is not: The user has a device.",
        )
        call(account, "iam.CreateVirtualMFADevice", VirtualMFADeviceName=phone)
        told = hand.look(stage)
        assert [one.done for one in told.tasks] == [True, True, True, True, False]
        assert (told.next and told.next.text) == "The device is enabled for the user $MFA_USER."
        assert told.notes == ()


def test_the_right_thing_in_the_wrong_account_is_named(account: InMemoryAccount) -> None:
    change = {"eventTime": "9999-01-01T10:20:30Z", "eventSource": "iam.amazonaws.com",
              "eventName": "CreateUser"}  # fmt: skip
    log: list[Any] = []
    with by_hand(account, "external-id", "two-accounts", log) as (hand, stage):
        name = hand.runner.scope()["vendor"]
        for home in (PARTNER, LEARNER):
            identity = {"arn": f"arn:aws:iam::{home}:user/admin", "accountId": home}
            asked = {"requestParameters": {"UserName": name}, "userIdentity": identity}
            log.append({**change, **asked})
        (note,) = hand.look(stage).notes
        assert note == (
            f"10:20 admin called CreateUser for user {name}, in account {LEARNER}."
            f" The task is about account {PARTNER}."
        )


def test_a_hint_gives_the_values_for_the_file_that_it_names(account: InMemoryAccount) -> None:
    with by_hand(account, "external-id", "two-accounts") as (hand, stage):
        task = hand.look(stage).tasks[0]
        assert "In a copy" not in hand.hint(stage, task)[0]
        text, _ = hand.hint(stage, task)
        assert text.endswith(
            "external-id/trust.json put aws for ${{ partition }},"
            " 444455556666 for ${{ accounts.partner.id }}."
        )
        hand.runner.do(stage, 0)
        policy = hand.look(stage).tasks[1]
        hand.hint(stage, policy)
        assert hand.hint(stage, policy)[0].endswith("lab/external-id/permissions.json.")


def test_a_stack_that_was_made_anew_counts_with_its_new_role(account: InMemoryAccount) -> None:
    with by_hand(account, "steps", "deploy-role") as (hand, stage):
        params = resolve(stage.steps[0].params, hand.runner.scope())
        roles = []
        for _ in range(2):
            made = call(account, "cloudformation.CreateStack", **params)
            has_ended(account.inside.engine, made["StackId"], SECONDS)
            assert hand.look(stage).done
            roles.append(hand.runner.scope()["role_arn"])
            call(account, "cloudformation.DeleteStack", StackName=params["StackName"])
            has_ended(account.inside.engine, made["StackId"], SECONDS)
            assert [one.done for one in hand.look(stage).tasks] == [False]
        assert roles[0] != roles[1]


SESSION = (bundled() / "lab" / "narrower" / "session.json").read_text()


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ((), "but it has no session policy."),
        ((LISTS,), "but it has another session policy."),
        ((SESSION.replace("\n", " "),), ""),
    ],
)
def test_a_session_has_the_policy_that_the_step_gives_it(
    account: InMemoryAccount, policies: tuple[str, ...], told: str
) -> None:
    known = Known()
    with by_hand(account, "narrower", "session-policy", hand=known) as (hand, stage):
        role = hand.runner.scope()["role_arn"]
        limits = {"Policy": policies[0]} if policies else {}
        assumes(account, "night", "admin", RoleArn=role, RoleSessionName="night-job", **limits)
        asked = Given(key_of(account, "admin"), "", 3600, mfa=False, policies=policies)
        known.sessions = {key_of(account, "night"): asked}
        standing = hand.look(stage)
        assert [one.done for one in standing.tasks] == [not told]
        assert [one for one in standing.notes if told and one.endswith(told)] or standing.done


WIDE = LISTS.replace("s3:ListAllMyBuckets", "sts:*")


def test_a_policy_that_allows_too_much_is_named_and_goes(account: InMemoryAccount) -> None:
    with by_hand(account, "steps", "attach-policy") as (hand, stage):
        user = hand.runner.scope()["user"]
        call(account, "iam.PutUserPolicy", UserName=user, PolicyName="x", PolicyDocument=WIDE)
        for at in range(len(stage.steps)):
            hand.runner.do(stage, at)
        standing = hand.look(stage)
        (task,) = standing.tasks
        assert (task.done, task.spoilt) == (False, True)
        named = [f"inline policy x of user {user}" in one for one in standing.notes]
        assert len(named) > 1
        assert named.index(True) == len(named) - 1  # after the last of those that it allows
        assert standing.removal
        assert standing.removal.name == "iam.DeleteUserPolicy"
        make(hand.runner, standing.removal)
        assert hand.look(stage).done


def test_a_cell_that_is_too_wide_names_what_allows_it(account: InMemoryAccount) -> None:
    with by_hand(account, "steps", "attach-policy") as (hand, stage):
        user = hand.runner.scope()["user"]
        call(account, "iam.PutUserPolicy", UserName=user, PolicyName="x", PolicyDocument=LISTS)
        (note,) = hand.look(stage).notes
        assert note == (
            "More is allowed than the stage asks for: sts may list all buckets."
            f" What allows it: inline policy x of user {user} (statement 1)."
        )


def test_a_policy_of_another_name_than_the_task_says_is_named(account: InMemoryAccount) -> None:
    admin = {"arn": f"arn:aws:iam::{LEARNER}:user/admin", "accountId": LEARNER}
    put = {"eventTime": "9999-01-01T10:20:30Z", "eventSource": "iam.amazonaws.com",
           "eventName": "PutRolePolicy", "userIdentity": admin}  # fmt: skip
    log: list[Any] = []
    with by_hand(account, "one-hour", "revoke", log) as (hand, stage):
        role, name = hand.runner.scope()["work_name"], stage.steps[1].params["PolicyName"]
        log += [{**put, "requestParameters": {"RoleName": role, "PolicyName": "Revoke"}}] * 2
        (note,) = hand.look(stage).notes
        assert "you put there is called Revoke. The task is about one called Revoke" in note
        hand.runner.do(stage, 1)
        assert hand.look(stage).notes == ()
        log[:] = [{**put, "requestParameters": {"RoleName": role, "PolicyName": name}}]
        step = stage.steps[1]
        other = replace(step, params={**step.params, "PolicyName": "Other"}, task="Other")
        assert hand.look(replace(stage, steps=(*stage.steps, other))).notes == ()


def test_a_session_of_this_very_second_is_older_than_the_policy_that_revokes_it(
    account: InMemoryAccount,
) -> None:
    """As with `stslab run one-hour --from revoke`, which lets no hour pass."""
    lab = load(bundled() / "lab" / "one-hour.yaml", catalogue=BotocoreCatalogue())
    account.begin()
    with account.running(lab, lambda _: None) as runner:
        for stage in ("longer", "revoke"):
            runner.run_stage(stage)


def test_a_change_elsewhere_is_told_once(account: InMemoryAccount) -> None:
    admin = {"arn": f"arn:aws:iam::{LEARNER}:user/admin", "accountId": LEARNER}
    calls = [
        {"eventTime": f"9999-01-01T10:2{at}:30Z", "eventSource": "iam.amazonaws.com",
         "eventName": name, "requestParameters": {"UserName": "bob"}, "userIdentity": admin}
        for at, name in enumerate(("CreateUser", "CreateAccessKey", "DeleteUser"))
    ]  # fmt: skip
    log: list[Any] = []  # newest first
    with by_hand(account, "external-id", "two-accounts", log) as (hand, stage):
        role, vendor = (hand.runner.scope()[one] for one in ("role", "vendor"))
        about = f"The task is about role {role} and user {vendor}."
        for at, event in enumerate(calls):
            log.insert(0, event)
            told = f"10:20 admin called CreateUser for user bob. {about}"
            assert hand.look(stage).notes[-1:] == (told,), at
            assert sum("bob" in note for note in hand.look(stage).notes) == 1
            hand.runner.do(stage, at)


def test_a_session_in_no_profile_is_named(account: InMemoryAccount) -> None:
    known = Known()
    with by_hand(account, "narrower", "role", hand=known) as (hand, stage):
        for at in range(2):
            hand.runner.do(stage, at)
        role = hand.runner.scope()["role_arn"]
        told = "The session that you asked for last is in no profile yet."
        assert not [one for one in hand.look(stage).notes if told in one]
        given = call(account, "sts.AssumeRole", RoleArn=role, RoleSessionName="clerk")
        keys = Credentials.found_in(given["Credentials"])
        assert keys
        ends = given["Credentials"]["Expiration"]
        asked = Given(key_of(account, "admin"), str(ends), 3600, mfa=False)
        known.sessions = {keys.access_key_id: asked}
        (note,) = (one for one in hand.look(stage).notes if told in one)
        assert "the profile clerk" in note
        account.files.save("clerk", keys)
        assert not [one for one in hand.look(stage).notes if told in one]


def test_a_claim_that_the_stage_at_work_has_changed_need_not_hold(account: InMemoryAccount) -> None:
    with by_hand(account, "steps", "attach-policy") as (hand, stage):
        hand.runner.check_stage("deploy-role")  # the user may not assume the role yet
        assert hand.runner.past.stage == stage.id
        for at in range(len(stage.steps)):
            hand.runner.do(stage, at)
        hand.runner.check_stage("deploy-role")
        hand.runner.check_stage(stage.id)
        hand.runner.note(Skipped(stage.id))
        assert hand.runner.past.stage == ""


def test_a_claim_about_what_is_not_made_yet_does_not_hold(account: InMemoryAccount) -> None:
    with by_hand(account, "steps", "deploy-role") as (hand, stage), pytest.raises(CheckFailed):
        hand.runner.check_stage(stage.id)
