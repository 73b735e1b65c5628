"""Drift: missing work is done again, changed work is reported, work by hand is adopted."""

import json
from typing import Any

import pytest
from tests.runner.conftest import Machine
from tests.runner.fake_world import Refused

from stslab.errors import RunError
from stslab.kinds.table import EFFECTS
from stslab.runner.events import (
    StepAdopted,
    StepDiffers,
    StepDrifted,
    StepFailed,
    StepFinished,
    StepSkipped,
)
from stslab.runner.journal.records import How, RunState
from stslab.runner.journal.standing import standing
from stslab.runner.ports import Credentials

USER, STACK, BUCKET = "sts-test-user-run00001", "my-sts-stack-run00001", "sts-example-run00001"


@pytest.fixture
def begun(machine: Machine) -> Machine:
    with machine.process() as process:
        process.run(last="assume-role")
    machine.events.clear()
    machine.world.log.clear()
    return machine


def key_of(machine: Machine, profile: str) -> str:
    found = machine.profiles.get(profile)
    assert found
    return found.access_key_id


def the_role(machine: Machine) -> str:
    return str(machine.world.stacks[STACK]["role"])


def delete_the_user(machine: Machine) -> None:
    del machine.world.keys[key_of(machine, "sts")]
    del machine.world.users[USER]


def delete_the_key(machine: Machine) -> None:
    del machine.world.keys[key_of(machine, "sts")]


def delete_the_policy(machine: Machine) -> None:
    machine.world.iam_delete_user_policy(USER, "StsAssumePolicy")


def delete_the_role(machine: Machine) -> None:
    machine.world.iam_delete_role(the_role(machine))


def delete_the_bucket(machine: Machine) -> None:
    machine.world.s3_delete_bucket(BUCKET)


def delete_the_stack(machine: Machine) -> None:
    machine.world.cloudformation_delete_stack(STACK)


def end_the_session(machine: Machine) -> None:
    machine.world.ended.add(key_of(machine, "assumed"))


def forget_the_profiles(machine: Machine) -> None:
    for name in ("sts", "assumed"):
        machine.profiles.remove(name)


DRIFTS = {
    delete_the_user: ["IAM user", "Access key", "Inline policy"],
    delete_the_key: ["Access key"],
    delete_the_policy: ["Inline policy"],
    delete_the_role: ["IAM role", "What it read has changed (role_arn", "Inline policy", "AWS no longer accepts the session"],
    delete_the_bucket: ["S3 bucket", "What it read has changed (role_arn", "Inline policy", "AWS no longer accepts the session"],
    delete_the_stack: [
        "CloudFormation stack", "What it read has changed (role_arn", "Inline policy", "AWS no longer accepts the session",
    ],
    end_the_session: ["The session has expired (profile assumed)"],
    forget_the_profiles: ["The profile sts is gone", "The profile assumed is gone"],
}  # fmt: skip


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda each: each.__name__)
def test_missing_work_is_done_again_and_the_run_continues(begun: Machine, drift: Any) -> None:
    drift(begun)
    with begun.process() as process:
        process.run()
        run = process.journal.run("run00001")
    assert run
    assert run.state is RunState.FINISHED
    told = [one.what for one in begun.said(StepDrifted)]
    assert [what[: len(start)] for what, start in zip(told, DRIFTS[drift], strict=True)] == DRIFTS[
        drift
    ]
    assert all(one.again for one in begun.said(StepDrifted))
    left = begun.world.everything()
    assert not any(left.values()), left


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda each: each.__name__)
def test_drift_can_be_asked_for_before_the_stage(begun: Machine, drift: Any) -> None:
    drift(begun)
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.drift("verify-access")
        process.runner.restore("verify-access")
        process.run()
    assert begun.said(StepFailed) == []
    assert not any(begun.world.everything().values())


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda each: each.__name__)
def test_asking_for_drift_changes_nothing(begun: Machine, drift: Any) -> None:
    drift(begun)
    before = begun.world.everything()
    with begun.process() as process:
        process.runner.start_or_resume()
        first = process.runner.drift("verify-access")
        again = process.runner.drift("verify-access")
    assert first == again
    assert first
    assert first[0].what.startswith(DRIFTS[drift][0])
    assert begun.world.everything() == before
    assert begun.said(StepDrifted) == []


def test_without_drift_there_are_only_lookups(begun: Machine) -> None:
    with begun.process() as process:
        process.runner.start_or_resume()
        assert process.runner.drift("verify-access") == ()
        process.runner.restore("verify-access")
    assert not begun.said(StepDrifted) + begun.said(StepFinished) + begun.said(StepSkipped)
    verbs = {line.split()[1].partition(".")[2] for line in begun.world.log}
    assert all(verb.startswith(("Get", "Head", "List", "Describe")) for verb in verbs), verbs


def test_one_process_inspects_once(begun: Machine) -> None:
    with begun.process() as process:
        process.runner.start_or_resume()
        process.runner.drift("verify-access")
        looked = len(begun.world.log)
        process.runner.drift("verify-access")
        process.runner.restore("verify-access")
        assert len(begun.world.log) == looked


def test_work_of_this_process_is_not_inspected(machine: Machine) -> None:
    """A real account may not show a new thing at once, so its absence would prove nothing."""
    with machine.process() as process:
        process.run()
    assert machine.said(StepDrifted) == []


def test_after_a_failure_steps_are_inspected_again(begun: Machine) -> None:
    with begun.process() as process:
        process.runner.start_or_resume()
        assert process.runner.drift("verify-access") == ()
        end_the_session(begun)
        with pytest.raises(RunError, match="ExpiredToken"):
            process.runner.run_stage("verify-access")
        process.runner.run_stage("verify-access")
    assert [one.what for one in begun.said(StepDrifted)] == DRIFTS[end_the_session]


def test_a_policy_changed_by_hand_is_shown_and_restored(begun: Machine) -> None:
    policies = begun.world.users[USER]["policies"]
    ours = policies["StsAssumePolicy"]["Statement"][0]
    wide = {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}
    policies["StsAssumePolicy"] = {"Version": "2012-10-17", "Statement": wide}
    with begun.process() as process:
        process.run(last="verify-access")
    (told,) = begun.said(StepDrifted)
    assert told.again
    (difference,) = told.differences
    assert [json.loads(one) for one in difference.wanted] == [ours]
    assert [json.loads(one) for one in difference.found] == [wide]
    assert policies["StsAssumePolicy"]["Statement"] == [ours]


def test_another_form_of_the_same_policy_is_left_alone(begun: Machine) -> None:
    policies = begun.world.users[USER]["policies"]
    ours = policies["StsAssumePolicy"]["Statement"][0]
    other = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [ours["Resource"]]}
    policies["StsAssumePolicy"] = {"Version": "2012-10-17", "Statement": other}
    with begun.process() as process:
        process.runner.start_or_resume()
        assert process.runner.drift("verify-access") == ()


def test_a_change_that_the_step_would_not_revert_is_left_with_the_command(begun: Machine) -> None:
    """The role is in a stack: restoring its trust takes a call that the lab does not make."""
    role = begun.world.roles[the_role(begun)]
    ours = role["trust"]["Statement"][0]
    theirs = {**ours, "Principal": {"AWS": "*"}}
    role["trust"] = {"Version": "2012-10-17", "Statement": [theirs]}
    with begun.process() as process:
        process.run(last="verify-access")
    (told,) = begun.said(StepDrifted)
    assert not told.again
    (fix,) = told.fix
    assert (fix.operation, fix.params["RoleName"]) == ("UpdateAssumeRolePolicy", the_role(begun))
    assert json.loads(fix.params["PolicyDocument"])["Statement"] == [ours]
    assert json.loads(told.differences[0].found[0]) == theirs
    assert role["trust"]["Statement"] == [theirs]


def test_a_refused_lookup_shows_no_drift(begun: Machine) -> None:
    def refuse(**_: Any) -> Any:
        raise Refused("AccessDenied", "no", 403)

    begun.world.iam_get_user = refuse  # type: ignore[method-assign, assignment]
    with begun.process() as process:
        process.runner.start_or_resume()
        assert process.runner.drift("create-user") == ()


# By hand


def put_by_hand(machine: Machine, **changes: Any) -> None:
    role = f"arn:aws:iam::111122223333:role/{the_role(machine)}"
    said = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [role], **changes}
    document = {"Version": "2012-10-17", "Statement": [said]}
    machine.world.iam_put_user_policy(USER, "StsAssumePolicy", json.dumps(document))


@pytest.fixture
def deployed(machine: Machine) -> Machine:
    with machine.process() as process:
        process.run(last="deploy-role")
    machine.events.clear()
    return machine


def test_correct_work_by_hand_is_adopted(deployed: Machine) -> None:
    put_by_hand(deployed)
    with deployed.process() as process:
        process.runner.start_or_resume()
        stage = process.runner.begin_stage("attach-policy")
        assert process.runner.adopt(stage, 0)
        assert process.runner.adopt(stage, 0)
        assert f"inline policy StsAssumePolicy of user {USER}" in process.runner.to_undo()
        assert len(process.runner.to_undo()) == 4
    assert [one.title for one in deployed.said(StepAdopted)] == ["Put the policy on the user"]


def test_missing_work_is_not_adopted(deployed: Machine) -> None:
    with deployed.process() as process:
        process.runner.start_or_resume()
        stage = process.runner.begin_stage("attach-policy")
        assert not process.runner.adopt(stage, 0)
    assert deployed.said(StepDiffers) == []


def test_wrong_work_by_hand_is_reported(deployed: Machine) -> None:
    put_by_hand(deployed, Resource="*")
    with deployed.process() as process:
        process.runner.start_or_resume()
        stage = process.runner.begin_stage("attach-policy")
        assert not process.runner.adopt(stage, 0)
        assert len(process.runner.to_undo()) == 3
    (told,) = deployed.said(StepDiffers)
    assert '"Resource": "*"' in told.differences[0].found[0]


def test_a_stage_done_by_hand_is_adopted_by_the_next(deployed: Machine) -> None:
    put_by_hand(deployed)
    with deployed.process() as process:
        process.runner.start_or_resume()
        process.runner.run_stage("assume-role")
        assert process.runner.stages_done[-2:] == ("attach-policy", "assume-role")
        stands = standing(process.journal.past("run00001"))
    assert [one.how for one in stands.stages[2].attempts] == [How.HAND]


def test_a_key_and_its_profile_by_hand(machine: Machine) -> None:
    with machine.process() as process:
        process.runner.start_or_resume()
        stage = process.runner.begin_stage("create-user")
        process.runner.do(stage, 0)
        made = machine.world.iam_create_access_key(USER)["AccessKey"]
        assert not process.runner.adopt(stage, 1)
        machine.profiles.save("sts", Credentials(made["AccessKeyId"], made["SecretAccessKey"]))
        assert process.runner.adopt(stage, 1)
        process.run(last="create-user")
        assert process.runner.scope()["profiles"]["sts"]["access_key_id"] == made["AccessKeyId"]
        process.clean_up()
    assert made["SecretAccessKey"] not in str(machine.events)
    assert machine.world.everything()["keys"] == []


def test_a_session_by_hand_replaces_an_expired_one(begun: Machine) -> None:
    end_the_session(begun)
    role = f"arn:aws:iam::111122223333:role/{the_role(begun)}"
    who = f"arn:aws:iam::111122223333:user/{USER}"
    made = begun.world.sts_assume_role(who, role, "sts-example-s3")["Credentials"]
    mine = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    begun.profiles.save("assumed", mine)
    with begun.process() as process:
        process.run(last="verify-access")
    assert begun.profiles.get("assumed") == mine
    assert begun.said(StepFailed) == []


def test_a_session_of_another_name_is_not_adopted(begun: Machine) -> None:
    role = f"arn:aws:iam::111122223333:role/{the_role(begun)}"
    who = f"arn:aws:iam::111122223333:user/{USER}"
    made = begun.world.sts_assume_role(who, role, "mine")["Credentials"]
    begun.profiles.save("assumed", Credentials(made["AccessKeyId"], made["SecretAccessKey"], "t"))
    with begun.process() as process:
        process.run(last="verify-access")
    assert key_of(begun, "assumed") != made["AccessKeyId"]


def test_on_a_real_account_nothing_is_adopted(machine: Machine) -> None:
    with machine.process(kind="aws") as process:
        process.run(last="deploy-role")
        put_by_hand(machine)
        stage = process.runner.begin_stage("attach-policy")
        assert not process.runner.adopt(stage, 0)


def test_a_user_made_by_hand_since_the_run_began(machine: Machine) -> None:
    with machine.process() as process:
        process.runner.start_or_resume()
        machine.world.iam_create_user(USER)
        machine.world.users[USER]["made"] = machine.clock.now()
        process.run(last="create-user")
        assert process.runner.to_undo()[-1] == f"IAM user {USER}"
        process.clean_up()
    assert [one.title for one in machine.said(StepAdopted)] == ["Create the user"]
    assert USER not in machine.world.users


def test_every_row_is_of_a_known_kind() -> None:
    assert {effect.kind.partition(".")[0] for effect in EFFECTS.values()} == {
        "iam", "s3", "cloudformation", "embedded",
    }  # fmt: skip
