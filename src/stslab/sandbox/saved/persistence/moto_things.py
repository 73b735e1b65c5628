"""What of moto's backends is saved, thing by thing, and which things a call may change.

Things that come and go are seen by the tables that hold them (:class:`Table` in place of
moto's dictionaries). Things that change where they stand are those that the call names in
its parameters: IAM and S3 have no call that changes what it does not name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from moto.iam import models as iam
from moto.s3 import models as s3

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.persistence.pickles import Reference
from stslab.sandbox.saved.persistence.store import Address
from stslab.sandbox.saved.tables import Table

IAM_TABLES = (
    "managed_policies",
    "users",
    "roles",
    "groups",
    "instance_profiles",
    "open_id_providers",
    "saml_providers",
    "virtual_mfa_devices",
    "certificates",
    "inline_policies",
)
"""In the order in which they are read: what is referred to before what refers to it."""

_SETTINGS = ("account_aliases", "account_password_policy", "credential_report")
_APART = ("keys", "multiparts")


def watch(account: str) -> None:
    """Let tables hold the account's things, and count all that is there as saved."""
    backend = moto_backends.iam(account)
    for name in IAM_TABLES:
        setattr(backend, name, _watched(getattr(backend, name)))
    for owner in (backend, moto_backends.s3(account)):
        owner.tagger.tags = _watched(owner.tagger.tags)
    moto_backends.s3(account).buckets = _watched(moto_backends.s3(account).buckets)


def _watched(held: Mapping[Any, Any]) -> Table[Any, Any]:
    table: Table[Any, Any] = Table(held)
    table.take_changed()
    return table


def take_changed(account: str) -> Iterator[Address]:
    """The addresses of what came, went or was touched since the last time."""
    backend, buckets = moto_backends.iam(account), moto_backends.s3(account)
    for name in IAM_TABLES:
        for key in getattr(backend, name).take_changed():
            yield (f"iam.{name}", account, key)
    for service, owner in (("iam", backend), ("s3", buckets)):
        for arn in owner.tagger.tags.take_changed():
            yield (f"{service}.tags", account, arn)
    for bucket in buckets.buckets.take_changed():
        yield ("s3.bucket", account, bucket)


def everything(account: str) -> Iterator[Address]:
    """The addresses of all of IAM in an account, but for AWS's own policies."""
    backend = moto_backends.iam(account)
    for name in IAM_TABLES[1:]:
        for key in getattr(backend, name):
            yield (f"iam.{name}", account, key)
    for arn in backend.tagger.tags:
        yield ("iam.tags", account, arn)
    yield ("iam.settings", account, "")
    for arn, policy in backend.managed_policies.items():
        if policy.attachment_count or arn.split(":")[4] == account:
            yield ("iam.managed_policies", account, arn)


def touch(request: ApiRequest) -> Iterator[Address]:
    """The addresses of what the call may have changed where it stands."""
    if request.service == "s3":
        return _s3_named(request)
    if request.service == "iam":
        return _iam_named(request)
    return iter(())


# -- IAM ---------------------------------------------------------------------------------


def _itself(_backend: Any, value: str) -> str | None:
    return value


def _role_key(backend: Any, name: str) -> str | None:
    return next((key for key, role in backend.roles.items() if role.name == name), None)


def _provider_name(_backend: Any, arn: str) -> str | None:
    return arn.rpartition("/")[2]


_NAMED_BY: dict[str, tuple[str, Callable[[Any, str], str | None]]] = {
    "UserName": ("users", _itself),
    "NewUserName": ("users", _itself),
    "GroupName": ("groups", _itself),
    "RoleName": ("roles", _role_key),
    "InstanceProfileName": ("instance_profiles", _itself),
    "PolicyArn": ("managed_policies", _itself),
    "PermissionsBoundary": ("managed_policies", _itself),
    "SerialNumber": ("virtual_mfa_devices", _itself),
    "OpenIDConnectProviderArn": ("open_id_providers", _itself),
    "SAMLProviderArn": ("saml_providers", _provider_name),
}


def _iam_named(request: ApiRequest) -> Iterator[Address]:
    account = request.account
    backend = moto_backends.iam(account)
    for name, value in request.params.items():
        if name in _NAMED_BY:
            table, find = _NAMED_BY[name]
            key = find(backend, str(value))
            if key is not None:
                yield (f"iam.{table}", account, key)
    user = backend.users.get(str(request.params.get("UserName") or request.caller.user_name))
    if user is not None:  # calls on access keys may leave the user out: it is then the caller
        yield ("iam.users", account, user.name)
        yield ("iam.tags", account, user.arn)
    yield ("iam.settings", account, "")


# -- S3 ----------------------------------------------------------------------------------


def _s3_named(request: ApiRequest) -> Iterator[Address]:
    name = str(request.params.get("Bucket", ""))
    bucket = moto_backends.bucket(name)
    if bucket is None:
        return
    account = bucket.account_id
    yield ("s3.bucket", account, name)
    for key in _object_keys(request.params):
        yield ("s3.object", account, f"{name}/{key}")
    upload = request.params.get("UploadId")
    if upload or request.operation == "CreateMultipartUpload":
        open_now = {i for i, held in bucket.multiparts.items() if held.key_name == _key(request)}
        for upload_id in open_now | ({str(upload)} if upload else set()):
            yield ("s3.upload", account, f"{name}/{upload_id}")


def _key(request: ApiRequest) -> str:
    return str(request.params.get("Key", ""))


def _object_keys(params: Mapping[str, Any]) -> Iterable[str]:
    if "Key" in params:
        return [str(params["Key"])]
    return [str(item["Key"]) for item in (params.get("Delete") or {}).get("Objects", ())]


# -- a thing by its address --------------------------------------------------------------


def get(address: Address) -> Any | None:
    """The thing as it is to be saved, or None where it is gone."""
    kind, account, name = address
    return _GET[kind](account, name) if kind in _GET else _iam_table(kind, account).get(name)


def put(address: Address, thing: Any) -> None:
    """Put a thing that was saved back in its place."""
    kind, account, name = address
    if kind in _PUT:
        _PUT[kind](account, name, thing)
    else:
        _iam_table(kind, account).load([(name, thing)])


def _iam_table(kind: str, account: str) -> Table[str, Any]:
    table: Table[str, Any] = getattr(moto_backends.iam(account), kind.removeprefix("iam."))
    return table


def _put_policy(account: str, arn: str, policy: Any) -> None:
    table = _iam_table("iam.managed_policies", account)
    if arn in table:  # AWS's own are there from the start, and listed elsewhere too
        table[arn].__dict__.update(policy.__dict__)
    else:
        table.load([(arn, policy)])


def _put_user(account: str, name: str, user: Any) -> None:
    _iam_table("iam.users", account).load([(name, user)])
    for key in user.access_keys:
        moto_backends.iam(account).access_keys[key.access_key_id] = key


def _get_settings(account: str, _name: str) -> Any:
    backend = moto_backends.iam(account)
    return {name: getattr(backend, name) for name in _SETTINGS}


def _put_settings(account: str, _name: str, settings: Any) -> None:
    for name, value in settings.items():
        setattr(moto_backends.iam(account), name, value)


def _tags(service: str) -> Callable[[str], Table[str, Any]]:
    def table(account: str) -> Table[str, Any]:
        backend = moto_backends.iam(account) if service == "iam" else moto_backends.s3(account)
        tags: Table[str, Any] = backend.tagger.tags
        return tags

    return table


def _get_bucket(account: str, name: str) -> Any:
    bucket = moto_backends.s3(account).buckets.get(name)
    return bucket and {key: held for key, held in vars(bucket).items() if key not in _APART}


def _put_bucket(account: str, name: str, state: Any) -> None:
    bucket: Any = s3.FakeBucket(name, account, state["region_name"])  # type: ignore[abstract]
    vars(bucket).update(state)
    moto_backends.s3(account).buckets.load([(name, bucket)])


def _split(account: str, name: str) -> tuple[Any, str]:
    bucket, _, rest = name.partition("/")
    return moto_backends.s3(account).buckets.get(bucket), rest


def _get_object(account: str, name: str) -> Any:
    bucket, key = _split(account, name)
    return None if bucket is None else bucket.keys.getlist(key)


def _put_object(account: str, name: str, versions: Any) -> None:
    bucket, key = _split(account, name)
    dict.__setitem__(bucket.keys, key, versions)


def _get_upload(account: str, name: str) -> Any:
    bucket, upload = _split(account, name)
    return None if bucket is None else bucket.multiparts.get(upload)


def _put_upload(account: str, name: str, upload: Any) -> None:
    bucket, upload_id = _split(account, name)
    bucket.multiparts[upload_id] = upload


_GET: dict[str, Callable[[str, str], Any]] = {
    "iam.settings": _get_settings,
    "iam.tags": lambda account, arn: _tags("iam")(account).get(arn),
    "s3.tags": lambda account, arn: _tags("s3")(account).get(arn),
    "s3.bucket": _get_bucket,
    "s3.object": _get_object,
    "s3.upload": _get_upload,
}
_PUT: dict[str, Callable[[str, str, Any], None]] = {
    "iam.settings": _put_settings,
    "iam.managed_policies": _put_policy,
    "iam.users": _put_user,
    "iam.tags": lambda account, arn, tags: _tags("iam")(account).load([(arn, tags)]),
    "s3.tags": lambda account, arn, tags: _tags("s3")(account).load([(arn, tags)]),
    "s3.bucket": _put_bucket,
    "s3.object": _put_object,
    "s3.upload": _put_upload,
}
KINDS = (
    *(f"iam.{name}" for name in IAM_TABLES),
    "iam.settings",
    "iam.tags",
    "s3.bucket",
    "s3.object",
    "s3.upload",
    "s3.tags",
)
"""Every kind, in the order in which they are read."""


# -- references --------------------------------------------------------------------------


def refer(thing: Any) -> Reference | None:
    """How a thing that is saved by itself is named inside another one; None for the others."""
    if isinstance(thing, iam.ManagedPolicy | iam.AWSManagedPolicy):
        return ("iam.managed_policies", thing.account_id, thing.arn)
    if isinstance(thing, iam.User):
        return ("iam.users", thing.account_id, thing.id)
    if isinstance(thing, iam.Role):
        return ("iam.roles", thing.account_id, thing.id)
    return None


def find(reference: Reference) -> Any:
    """The thing that :func:`refer` named; a user by its id, since its name may change.

    Raises:
        KeyError: there is none.
    """
    kind, account, name = reference
    table = _iam_table(kind, account)
    if kind != "iam.users":
        return table[name]
    return next(user for user in table.values() if user.id == name)
