"""Retries as on a real account: which calls are repeated after faults, and which never are."""

import pytest
from tests.aws.endpoint import USER, Endpoint, error

from stslab.aws.account import Boto3Account
from stslab.aws.target import Target
from stslab.runner.calls.calls import Calls
from stslab.runner.events import Waiting
from stslab.runner.ports import Answer, Call, Clock, Lost, Refusal, TargetInfo

CREATED = USER.replace(b"GetUser", b"CreateUser")


class Quick(Clock):
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def real(endpoint: Endpoint, profiles, monkeypatch) -> Boto3Account:
    """An account at the endpoint that is treated as a real one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAME")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "MYSECRET0123456789")
    info = TargetInfo("aws", "aws", "111122223333", "us-east-1", eventually_consistent=True)
    return Boto3Account(Target(info, endpoint.url), profiles, read_seconds=0.3)


@pytest.fixture
def said() -> list:
    return []


@pytest.fixture
def calls(real, profiles, said) -> Calls:
    made = Calls(real, profiles, said.append, Quick())
    made.guard = lambda _: None  # these tests are about how a call is made
    return made


FAULTS = [
    (503, error("ServiceUnavailable")),
    (500, error("InternalFailure")),
    (400, error("Throttling", "Rate exceeded")),
    ("reset", b""),
    ("hang", b""),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault[0]))
def test_a_reading_call_is_repeated_until_it_is_answered(endpoint, calls, fault):
    endpoint.then(*fault).then(*fault).then(200, USER)
    outcome = calls.make(Call("admin", "iam", "GetUser", {"UserName": "u"}))
    assert isinstance(outcome, Answer)
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    "fault", [FAULTS[0], FAULTS[1], FAULTS[3], FAULTS[4]], ids=lambda f: str(f[0])
)
def test_a_changing_call_with_a_lost_answer_is_not_repeated(endpoint, calls, fault):
    endpoint.then(*fault).then(200, CREATED)
    outcome = calls.make(Call("admin", "iam", "CreateUser", {"UserName": "u"}))
    assert isinstance(outcome, Lost)
    assert len(endpoint.asked) == 1


def test_a_throttled_call_is_repeated_and_shown(endpoint, calls, said):
    for _ in range(3):
        endpoint.then(400, error("Throttling", "Rate exceeded"))
    endpoint.then(200, CREATED)
    outcome = calls.make(Call("admin", "iam", "CreateUser", {"UserName": "u"}))
    assert isinstance(outcome, Answer)
    waits = [event for event in said if isinstance(event, Waiting)]
    assert waits[0].what == "CreateUser: Throttling"
    assert waits[0].limit == 60.0


@pytest.mark.parametrize("spread", [("InvalidClientTokenId", 0.0), ("AccessDenied", 60.0)])
def test_a_new_key_or_policy_is_waited_for(endpoint, calls, profiles, said, spread):
    code, within = spread
    for _ in range(4):
        endpoint.then(403, error(code))
    endpoint.then(200, USER)
    profiles.save("sts", profiles.get("admin"))
    outcome = calls.make(Call("sts", "iam", "GetUser", {"UserName": "u"}), within=within)
    assert isinstance(outcome, Answer)
    assert any(isinstance(event, Waiting) and code in event.what for event in said)


def test_an_expected_refusal_is_not_retried(endpoint, calls, profiles):
    endpoint.then(403, error("AccessDenied"))
    profiles.save("sts", profiles.get("admin"))
    outcome = calls.make(Call("sts", "iam", "GetUser", {}), within=60.0, expected=["AccessDenied"])
    assert isinstance(outcome, Refusal)
    assert len(endpoint.asked) == 1


def test_every_wait_ends(endpoint, calls, profiles):
    for _ in range(60):
        endpoint.then(403, error("InvalidClientTokenId"))
    profiles.save("sts", profiles.get("admin"))
    outcome = calls.make(Call("sts", "iam", "GetUser", {"UserName": "u"}))
    assert isinstance(outcome, Refusal)
    assert 10 < len(endpoint.asked) < 30


@pytest.mark.parametrize("status", [301, 307])
def test_a_bucket_in_another_region_is_found_there(endpoint, calls, status):
    """Amazon S3 User Guide, "Making requests": a redirect names the bucket's region."""
    body = error("PermanentRedirect" if status == 301 else "TemporaryRedirect")
    endpoint.then(status, body).headers_of_next = {"x-amz-bucket-region": "eu-west-1"}
    endpoint.then(200, b"").then(200, b"<ListBucketResult/>")
    outcome = calls.make(Call("admin", "s3", "ListObjectsV2", {"Bucket": "elsewhere"}))
    assert isinstance(outcome, Answer), outcome
    assert "eu-west-1" in endpoint.headers[-1]["Authorization"]
