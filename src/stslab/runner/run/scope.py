"""What a run knows: at its beginning, and in the scope of a lab's expressions."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from msgspec.json import Encoder

from stslab.errors import CredentialsError, UnresolvedReference, UsageError
from stslab.lab.embedded import SERVICE, embedded_only, token_params
from stslab.lab.model import Check, Lab
from stslab.lab.references import allowed, resolve, resolve_vars
from stslab.runner.calls.calls import Calls
from stslab.runner.journal.records import (
    ClaimOutline,
    RunRecord,
    RunState,
    SavedProfile,
    StageOutline,
    person,
    shared,
)
from stslab.runner.ports import ADMIN, Data, Profiles, TargetInfo


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

    def token(name: str) -> object:
        """One of the lab's tokens, new each time; nothing where the account gives none."""
        answer = _asked(calls, "GetToken", resolve(token_params(lab.tokens[name]), known))
        calls.learn(answer)
        return answer.get("Token")

    if "now" in wanted:
        now = _asked(calls, "GetClock", {}).get("Now")
        if now:
            yield "now", f"{datetime.fromisoformat(now):%Y-%m-%dT%H:%M:%SZ}"
    if "mfa" in wanted:
        yield "mfa", _Asked(known, lambda name: _codes(calls, str(known[name])))
    if "token" in wanted and calls.profiles.token():
        yield "token", calls.profiles.token()
    if "tokens" in wanted:
        yield "tokens", _Asked({**lab.tokens}, token)


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


def _asked(calls: Calls, operation: str, params: Data) -> Data:
    return calls.account.call(ADMIN, SERVICE, operation, params).data


_ENCODE = Encoder(enc_hook=str, order="deterministic").encode
_LENGTH = 16  # characters: enough to tell a lab's claims apart


def new_run(
    lab: Lab, target: TargetInfo, run_id: str, now: datetime, services: Collection[str]
) -> RunRecord:
    """A run of the lab that begins now. ``services`` are those that the person allowed.

    Raises:
        CredentialsError: the lab uses others on a real account.
        UsageError: the lab needs what only the embedded account has, and this is another.
    """
    if not target.embedded:
        require_anywhere(lab)
        require_services(lab, services)
    accounts = second_accounts(lab, target)
    return RunRecord(
        id=run_id,
        lab=lab.id,
        title=lab.title,
        path=str(lab.path),
        sha256=lab.sha256,
        target=target.name,
        state=RunState.ACTIVE,
        started=now.isoformat(timespec="milliseconds"),
        person=person(),
        allowed=allowed(lab, basis(lab, run_id, target)),
        **shared(target, RunRecord) | {"accounts": accounts},
        profiles=tuple(lab.profiles),
        outline=tuple(
            StageOutline(stage.id, stage.title, stage.cleanup, tuple(map(claim, stage.checkpoint)))
            for stage in lab.stages
        ),
    )


def second_accounts(lab: Lab, target: TargetInfo) -> dict[str, str]:
    """The ids of the lab's further accounts, by the identities that administer them."""
    lacking = [name for name in lab.accounts if name not in target.accounts]
    if lacking:
        raise CredentialsError(
            f"The lab {lab.id} needs a second account ({lacking[0]}). Nothing was made.",
            "Name your AWS profile for it: --partner-profile NAME.",
        )
    return {name: target.accounts[name] for name in lab.accounts}


def require_anywhere(lab: Lab) -> None:
    """Refuse a lab that needs what only the embedded account has."""
    needs = embedded_only(lab)
    if needs:
        raise UsageError(
            f"The lab {lab.id} is for the embedded account only: it {' and '.join(needs)}.",
            "Run it there: leave out --target.",
        )


def require_services(lab: Lab, allowed: Collection[str]) -> None:
    """Refuse a lab that uses a service besides the four that the person did not allow."""
    lacking = sorted({*lab.services} - {*allowed})
    if lacking:
        raise CredentialsError(
            f"The lab uses {', '.join(lacking)}, and you did not allow that. Nothing was made.",
            f"If you mean it, add {' '.join(f'--allow-service {one}' for one in lacking)}.",
        )


def claim(check: Check) -> ClaimOutline:
    """The claim of a check. What is only said to people about it does not change it."""
    asked = (check.identity, check.call, check.params, check.profiles_gone)
    wanted = (check.expect, check.fails, check.by, check.key)
    proves = hashlib.sha256(_ENCODE((check.says, asked, wanted))).hexdigest()[:_LENGTH]
    return ClaimOutline(check.says, check.identity, check.call or "", proves, check.by)
