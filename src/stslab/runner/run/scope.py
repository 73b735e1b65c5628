"""What a run knows: the scope in which a lab's expressions are resolved."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from stslab.errors import UnresolvedReference
from stslab.lab.embedded import SERVICE, token_params
from stslab.lab.model import Lab
from stslab.lab.references import resolve, resolve_vars
from stslab.runner.calls.calls import Calls
from stslab.runner.journal.records import RunRecord, SavedProfile
from stslab.runner.ports import ADMIN, Answer, Data, Profiles, TargetInfo


def basis(lab: Lab, run_id: str, place: RunRecord | TargetInfo) -> dict[str, object]:
    """What a run knows from its beginning: where it happens, and the lab's variables."""
    base: dict[str, object] = {
        "run": {"id": run_id},
        "account": place.account,
        "region": place.region,
        "partition": place.partition,
        "accounts": {name: {"id": one} for name, one in place.accounts.items()},
    }
    return {**base, **resolve_vars(lab.vars, base)}


def scope(base: Data, saved: Data, profiles: Iterable[SavedProfile]) -> Data:
    """What was known from the beginning, what steps saved, the profiles without their secrets."""
    known = {
        profile.name: {"access_key_id": profile.access_key_id, "expiration": profile.expiration}
        for profile in profiles
    }
    return {**base, **saved, "profiles": known}


def variables(lab: Lab, known: Data) -> dict[str, str]:
    """The variables of the lab's ``env`` whose values are known now."""
    found = {}
    for name, text in lab.env.items():
        try:
            found[name] = str(resolve(text, known))
        except UnresolvedReference:
            continue
    return found


def configure(lab: Lab, profiles: Profiles, known: Data) -> None:
    """Write the profiles of which the lab says how they get their credentials, as known now."""
    known = {**known, "token_file": str(profiles.token_file)}
    for name, said in lab.profiles.items():
        with suppress(UnresolvedReference):
            values = resolve(said.values, known).items()
            profiles.configure(name, {key: str(one) for key, one in values})


def live(
    lab: Lab, calls: Calls, known: Data, wanted: Collection[str]
) -> Iterator[tuple[str, object]]:
    """Those of the live names that are ``wanted``, as they are now; ``known`` is all else."""
    if "now" in wanted:
        now = _asked(calls, "GetClock", {}).get("Now")
        if now:
            yield "now", f"{datetime.fromisoformat(now):%Y-%m-%dT%H:%M:%SZ}"
    if "mfa" in wanted:
        yield "mfa", _Asked(known, lambda name: _codes(calls, str(known[name])))
    if "token" in wanted and calls.profiles.token():
        yield "token", calls.profiles.token()
    if "tokens" in wanted:
        yield "tokens", _Asked({**lab.tokens}, lambda name: _token(lab, calls, known, name))


class _Asked(Mapping[str, object]):
    """What the account is asked for each time that it is named."""

    def __init__(self, names: Mapping[str, object], ask: Callable[[str], object]) -> None:
        self._names, self._ask = names, ask

    def __getitem__(self, name: str) -> object:
        if name not in self._names:
            raise KeyError(name)
        return self._ask(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _codes(calls: Calls, device: str) -> Data:
    """What an MFA device shows: it is named, or its ARN is."""
    here = f"arn:{calls.target.partition}:iam::{calls.target.account}:mfa/{device}"
    serial = device if device.startswith("arn:") else here
    shown = _asked(calls, "GetMfaCode", {"SerialNumber": serial})
    return {"code": shown["Code"], "next": shown["Next"]}


def _token(lab: Lab, calls: Calls, known: Data, name: str) -> object:
    """One of the lab's tokens, new each time; nothing where the account gives none."""
    answer = _asked(calls, "GetToken", resolve(token_params(lab.tokens[name]), known))
    calls.learn(answer)
    return answer.get("Token")


def _asked(calls: Calls, operation: str, params: Data) -> Data:
    outcome = calls.account.call(ADMIN, SERVICE, operation, params)
    return outcome.data if isinstance(outcome, Answer) else {}
