"""``stslab sandbox log``: which requests it shows."""

import json


def event(name, agent, user="admin"):
    return {
        "eventTime": "2030-01-01T00:00:00.012345Z", "eventSource": "iam.amazonaws.com",
        "eventName": name, "userAgent": agent, "requestID": name, "eventID": name, "decisions": [],
        "userIdentity": {"userName": user, "arn": f"arn:aws:iam::111122223333:user/{user}"},
    }  # fmt: skip


def test_stslabs_own_lookups_are_left_out_as_in_watch(stslab, state):
    events = [
        event("GetUser", "Botocore/1 stslab"),
        event("CreateUser", "Botocore/1 stslab"),
        event("ListUsers", "Botocore/1 stslab", user="sts"),  # a question of the lesson
        event("GetRole", "aws-cli/2"),
    ]
    (state / "sandbox").mkdir(parents=True)
    log = state / "sandbox" / "decisions.jsonl"
    log.write_text("".join(f"{json.dumps(one)}\n" for one in events))

    def shown(*options):
        lines = stslab("sandbox", "log", "--json", *options).out.splitlines()
        return [json.loads(line)["eventName"] for line in lines]

    assert shown() == ["CreateUser", "ListUsers", "GetRole"]
    assert shown("--limit", "3") == ["CreateUser", "ListUsers", "GetRole"]
    assert shown("--all") == ["GetUser", "CreateUser", "ListUsers", "GetRole"]


def test_times_are_in_seconds_as_in_cloudtrail_whose_records_programs_read(stslab, state):
    (state / "sandbox").mkdir(parents=True)
    log = state / "sandbox" / "decisions.jsonl"
    log.write_text(f"{json.dumps(event('GetRole', 'aws-cli/2'))}\n")
    (line,) = stslab("sandbox", "log", "--json").out.splitlines()
    assert json.loads(line)["eventTime"] == "2030-01-01T00:00:00Z"
