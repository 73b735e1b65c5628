"""Runs data-driven cases: calls over HTTP with boto3, each with its expected result.

A file of cases holds `setups` (named lists of steps) and `cases`. A case has a name (`case`),
the page of AWS's documentation that says so (`source`), the `given` setups, and its `steps`:

    {as: admin, call: iam.CreateUser, with: {UserName: u-${{ n }}}, save: {arn: User.Arn}}
    {as: admin, call: iam.GetUser, with: {...}, fails: NoSuchEntity, message: cannot be found}
    {as: user, call: iam.GetUser, with: {...}, fails: AccessDenied, find: {id: "id: (.+)$"}}
    {as: user, call: iam.CreateRole, with: {...}, fails: AccessDenied, message: action, whole: true}
    {call: s3.PutBucketAcl, ..., fails: InvalidArgument, tells: {ArgumentName: uri, Key: null}}
    {as: admin, call: iam.GetUser, with: {...}, expect: "User.Path == '/'"}
    {as: admin, call: iam.CreateAccessKey, ..., keys: {user: AccessKey}}   # a new identity
    {call: s3.HeadObject, ..., headers: {etag: '"a"', x-amz-restore: null}}  # null: not there
    {call: s3.HeadBucket, region: eu-west-1, ...}         # signed for this region, not redirected
    {call: s3.GetObject, signature: s3, ...}              # by Signature Version 2
    {call: s3.GetObject, send: {a-header: x, "?query": y, body: z}, ...}  # what boto3 does not send;
                                                          # `chunks`: as if the body came in such
    {clock: 3700}                                         # moves the sandbox's clock, seconds
    {clock: 180, full: true}                              # the same, to the next multiple of them
    {token: {claims: {sub: a, aud: b}}, save: jwt}        # of the sandbox's OIDC issuers
    {metadata: {issuer: url}, save: document}             # of the sandbox's SAML providers
    {assertion: {role: arn, provider: arn, session_name: a}, save: response}
    {mfa: serial, save: codes}                            # the codes of a virtual MFA device
    {issuer: "https://…", certificate: new-ca, save: shown}  # what an issuer's server shows now;
                                                          # `thumbprint`, in capitals `shouted`

`${{ ... }}` is JMESPath over what is known: `n` (fresh), `account`, `partner`, `now`, and what
was saved. A mapping given for a parameter that is text is sent as JSON. Without `fails`, a call
must succeed; `fails` and `message` (a part of it; its end, if `whole`) must both hold; `find` saves
the group of a pattern in the message.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED, xform_name
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests import yaml_files

from stslab.lab.references import evaluate, resolve
from stslab.sandbox.server import client

LEARNER, PARTNER = "111122223333", "444455556666"
CASES = Path(__file__).parents[1] / "cases" / "sandbox"
_ONCE = {"total_max_attempts": 1}


@dataclass
class Keys:
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> Keys:
        """From an AccessKey or a Credentials structure."""
        return cls(shape["AccessKeyId"], shape["SecretAccessKey"], shape.get("SessionToken"))


class Account:
    """A running sandbox, and the keys of its users that a test knows."""

    def __init__(self, folder: Path, endpoint: client.Endpoint) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self.keys: dict[str, Keys] = {}
        self.boto_session = boto3.Session(region_name=endpoint.region)
        for name, account in (("admin", LEARNER), ("partner", PARTNER)):
            self.keys[name] = Keys(**self.control("POST", "admin-key", {"account": account}))
        for name, account in (("root", LEARNER), ("partner-root", PARTNER)):
            self.keys[name] = Keys(**self.control("POST", "root-key", {"account": account}))

    @classmethod
    def start(cls, folder: Path) -> Account:
        endpoint = client.ensure(folder)
        try:
            return cls(folder, endpoint)
        except BaseException:
            client.stop(folder)
            raise

    def stop(self) -> None:
        client.stop(self.folder)

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return client.control(self.folder, method, path, body)

    def client(
        self,
        service: str,
        identity: str | Keys,
        region: str | None = None,
        version: str | None = None,
    ) -> Any:
        """A boto3 client that tries once, follows no redirect, and checks nothing itself."""
        keys = None if identity == "anonymous" else self._known(identity)
        made = self.boto_session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint.url,
            aws_access_key_id=keys.access_key_id if keys else None,
            aws_secret_access_key=keys.secret_access_key if keys else None,
            aws_session_token=keys.session_token if keys else None,
            config=Config(
                retries=_ONCE,
                parameter_validation=False,
                signature_version=version if keys else UNSIGNED,
                s3={"addressing_style": "path"},
            ),
        )
        if service == "s3" and region is not None:
            made.meta.events.register_last("before-call.s3", _follow_no_redirect)
        return made

    def _known(self, identity: str | Keys) -> Keys:
        return self.keys[identity] if isinstance(identity, str) else identity


def _follow_no_redirect(context: dict[str, Any], **_: Any) -> None:
    context["s3_redirect"]["redirected"] = True


@dataclass(frozen=True)
class Case:
    name: str
    source: str
    steps: list[Mapping[str, Any]]


def load(file: str) -> list[Any]:
    """The cases of `tests/cases/sandbox/<file>`, as pytest's parameters."""
    content = yaml_files.read(CASES / file)
    setups = content.get("setups", {})
    return [pytest.param(_case(row, setups), id=row["case"]) for row in content["cases"]]


def _case(row: Mapping[str, Any], setups: Mapping[str, Any]) -> Case:
    given = [step for name in row.get("given", ()) for step in setups[name]]
    unknown = set(row) - {"case", "source", "given", "steps"}
    assert not unknown, f"{row['case']}: {unknown}"
    return Case(row["case"], row["source"], [*given, *row["steps"]])


def run(account: Account, case: Case) -> None:
    """Run the steps of the case in order; fail at the first unexpected result."""
    _Run(account).all(case)


class _Run:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._identities: dict[str, Keys] = {}
        now = account.control("GET", "clock")["now"]
        fresh = secrets.token_hex(4)
        self._scope: dict[str, Any] = {
            "n": fresh,
            "account": LEARNER,
            "partner": PARTNER,
            "now": now,
        }

    def all(self, case: Case) -> None:
        assert case.source
        for number, step in enumerate(case.steps, start=1):
            try:
                self._step(step)
            except AssertionError as wrong:
                wrong.add_note(f"in step {number}: {step}")
                raise

    def _step(self, step: Mapping[str, Any]) -> None:
        for kind in ("call", "clock", "token", "metadata", "assertion", "mfa", "issuer"):
            if kind in step:
                getattr(self, f"_{kind}")(step)
                return
        raise ValueError(step)

    def _clock(self, step: Mapping[str, Any]) -> None:
        seconds = step["clock"]
        if step.get("full"):
            now = datetime.fromisoformat(self._account.control("GET", "clock")["now"])
            seconds -= now.timestamp() % seconds
        self._account.control("POST", "clock", {"seconds": seconds})
        self._scope["now"] = self._account.control("GET", "clock")["now"]

    def _token(self, step: Mapping[str, Any]) -> None:
        asked = _filled(step["token"], self._scope)
        self._scope[step["save"]] = self._account.control("POST", "oidc/token", asked)["token"]

    def _metadata(self, step: Mapping[str, Any]) -> None:
        asked = _filled(step["metadata"], self._scope)
        self._scope[step["save"]] = self._account.control("POST", "saml/metadata", asked)[
            "metadata"
        ]

    def _assertion(self, step: Mapping[str, Any]) -> None:
        asked = _filled(step["assertion"], self._scope)
        minted = self._account.control("POST", "saml/assertion", asked)
        self._scope[step["save"]] = minted["assertion"]

    def _mfa(self, step: Mapping[str, Any]) -> None:
        serial = resolve(step["mfa"], self._scope)
        found = self._account.control("GET", f"mfa/code?serial={serial}")
        self._scope[step["save"]] = found["codes"]

    def _issuer(self, step: Mapping[str, Any]) -> None:
        asked = _filled({k: v for k, v in step.items() if k != "save"}, self._scope)
        shown = self._account.control("POST", "oidc/issuer", asked)
        self._scope[step["save"]] = shown | {"shouted": shown["thumbprint"].upper()}

    def _call(self, step: Mapping[str, Any]) -> None:
        unknown = set(step) - _KEYS
        assert not unknown, unknown
        service, operation = step["call"].split(".")
        identity = step.get("as", "admin")
        keys = self._identities.get(identity, identity)
        version = step.get("signature")
        caller = self._account.client(service, keys, step.get("region"), version)
        further = _filled(step.get("send", {}), self._scope)
        caller.meta.events.register("before-sign", partial(_send, further))
        params = self._params(caller, operation, step.get("with", {}))
        wanted = step.get("fails")
        try:
            answer = getattr(caller, xform_name(operation))(**params)
        except ClientError as error:
            self._refused(error, wanted, step)
            return
        assert wanted is None, f"{step['call']} should fail with {wanted}"
        _check_headers(answer.pop("ResponseMetadata"), step)
        self._answered(answer, step)

    def _refused(self, error: ClientError, wanted: str | None, step: Mapping[str, Any]) -> None:
        answer = error.response["Error"]
        code, said = answer["Code"], answer.get("Message") or "no message"
        assert wanted is not None, f"{code}: {said}"
        assert code == wanted, f"{code}: {said}"
        part = resolve(step.get("message", ""), self._scope)
        assert part in said, f"{part!r} is not in {said!r}"
        assert not step.get("whole") or said.endswith(part), said
        for name, pattern in step.get("find", {}).items():
            found = re.search(pattern, said)
            assert found, f"{pattern!r} is not in {said!r}"
            self._scope[name] = found[1]
        tells = resolve(step.get("tells", {}), self._scope)
        assert {name: answer.get(name) for name in tells} == tells, answer
        there = [name for name, value in tells.items() if value is not None]
        assert [name for name in answer if name in there] == there, "in another order"
        answered = error.response["ResponseMetadata"]
        assert step.get("status") in (None, answered["HTTPStatusCode"])
        _check_headers(answered, step)

    def _answered(self, answer: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        plain = json.loads(json.dumps(answer, default=_plain))
        for expression in _listed(step.get("expect")):
            assert evaluate(expression, plain, self._scope), f"{expression}: {_safe(plain)}"
        for name, expression in step.get("save", {}).items():
            self._scope[name] = evaluate(expression, plain, self._scope)
        for name, expression in step.get("keys", {}).items():
            self._identities[name] = Keys.of(evaluate(expression, plain, self._scope))

    def _params(self, caller: Any, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        shape = caller.meta.service_model.operation_model(operation).input_shape
        resolved = _filled(given, self._scope)
        return {name: _fitted(shape, name, value) for name, value in resolved.items()}


_KEYS = {
    *"as call with expect fails message whole find status headers save keys region signature".split(),
    *("send", "tells"),
}


def _send(further: Mapping[str, str], request: AWSRequest, **_: Any) -> None:
    for name, value in further.items():
        if name == "body":
            request.data = value
        elif name == "chunks":
            request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        elif name.startswith("?"):
            request.url += f"{'&' if '?' in request.url else '?'}{name[1:]}={value}"
        else:
            del request.headers[name]
            request.headers[name] = value


def _filled(value: Any, scope: Mapping[str, Any]) -> Any:
    """Like `resolve`, but also for keys: a condition key may contain a fresh name."""
    if isinstance(value, Mapping):
        return {resolve(key, scope): _filled(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, scope) for inner in value]
    return resolve(value, scope)


def _fitted(shape: Any, name: str, value: Any) -> Any:
    """JSON in place of a mapping, if the parameter is text; also in lists."""
    member = shape.members.get(name) if shape is not None else None
    if member is None:
        return value
    if member.type_name == "string" and isinstance(value, dict | list):
        return json.dumps(value)
    if member.type_name == "list" and member.member.type_name == "string":
        return [json.dumps(one) if isinstance(one, dict) else one for one in value]
    return value


def _listed(value: Any) -> Iterator[str]:
    if value is not None:
        yield from [value] if isinstance(value, str) else value


def _check_headers(answered: Mapping[str, Any], step: Mapping[str, Any]) -> None:
    wanted = step.get("headers", {})
    assert wanted == {name: answered["HTTPHeaders"].get(name) for name in wanted}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _safe(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: value for name, value in plain.items() if name not in ("Credentials", "AccessKey")
    }
