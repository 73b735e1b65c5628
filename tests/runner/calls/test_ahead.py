"""Lookups ahead: in order, never older than a change, and only a few at a time."""

import threading
import time

import pytest
from tests.runner.fakes import FakeProfiles
from tests.runner.run.test_kill import assert_only_others_left, lookalikes
from tests.runner.undo.test_undo import add_by_hand

from stslab.errors import CredentialsError
from stslab.runner.calls.calls import AT_ONCE, Calls
from stslab.runner.events import CleanupFinished, ThingLookedUp
from stslab.runner.ports import Answer, Call, TargetInfo


class Account:
    """Answers each lookup with its parameters once ``gate`` is open."""

    target = TargetInfo("aws", "aws", "111122223333", "us-east-1")

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.under_way = 0
        self.most = 0
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def call(self, call: Call) -> Answer:
        with self._lock:
            self.asked.append(call.params["UserName"])
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        assert self.gate.wait(10)
        with self._lock:
            self.under_way -= 1
        return Answer(call.params)


def calls_on(account: Account) -> Calls:
    calls = Calls(account, FakeProfiles(), print)  # type: ignore[arg-type]
    calls.guard = lambda _: None
    return calls


def open_account() -> tuple[Account, Calls]:
    account = Account()
    account.gate.set()
    return account, calls_on(account)


def read_of(number: int) -> Call:
    return Call("admin", "iam", "GetUser", {"UserName": str(number)})


def test_a_few_lookups_run_together_and_come_in_order():
    account = Account()
    calls = calls_on(account)
    items = calls.ahead(range(30), read_of)
    first = next(items)
    deadline = time.monotonic() + 10
    while account.under_way < AT_ONCE and time.monotonic() < deadline:
        time.sleep(0.001)
    assert account.under_way == AT_ONCE
    account.gate.set()
    taken = [calls.once(read_of(first)), *(calls.once(read_of(item)) for item in items)]
    assert [isinstance(one, Answer) and one.data["UserName"] for one in taken] == [
        str(n) for n in range(30)
    ]
    assert account.most <= AT_ONCE
    assert sorted(account.asked, key=int) == [str(n) for n in range(30)]


def test_an_answer_from_before_a_change_is_not_used():
    account, calls = open_account()
    items = calls.ahead(range(3), read_of)
    next(items)
    calls.once(Call("admin", "iam", "DeleteUser", {"UserName": "9"}))
    calls.once(read_of(1))
    assert account.asked.count("1") == 2


def test_each_answer_is_taken_once():
    account, calls = open_account()
    items = calls.ahead(range(2), read_of)
    next(items)
    calls.once(Call("admin", "iam", "GetRole", {"UserName": "0"}))
    assert account.asked.count("0") == 2
    calls.once(read_of(0))
    assert account.asked.count("0") == 2
    calls.once(read_of(0))
    assert account.asked.count("0") == 3


def test_stopping_early_drops_the_answers():
    account, calls = open_account()
    items = calls.ahead(range(5), read_of)
    next(items)
    items.close()  # type: ignore[attr-defined]
    for number in range(5):
        calls.once(read_of(number))
    assert len(account.asked) == 10


def test_a_lookups_error_is_raised_where_its_answer_is_taken():
    class Ended(Account):
        def call(self, *_: object) -> Answer:
            raise CredentialsError("they ended")

    calls = calls_on(Ended())
    items = calls.ahead(range(1), read_of)
    next(items)
    with pytest.raises(CredentialsError, match="they ended"):
        calls.once(read_of(0))


def test_cleanup_is_the_same_with_and_without_overlap(machine):
    """On the embedded account, lookups run one by one."""
    said = {}
    for kind in ("sandbox", "aws"):
        machine.world, machine.profiles = lookalikes(), type(machine.profiles)()
        machine.ids = 0
        with machine.process(kind=kind) as process:
            process.run(last="verify-access")
        machine.events.clear()
        add_by_hand(machine.world)
        with machine.process(kind=kind) as process:
            process.cleanup.run("run00001")
        said[kind] = (
            [one.removed for one in machine.said(CleanupFinished)],
            [(one.thing, one.gone, one.proof) for one in machine.said(ThingLookedUp)],
            process.cleanup._calls.made,
        )
        assert_only_others_left(machine)
        (machine.folder / "journal.sqlite").unlink()
    assert said["sandbox"] == said["aws"]
