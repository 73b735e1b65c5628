"""The credential report (IAM User Guide, "Getting credential reports for your account")."""

import csv
import io
from datetime import datetime

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.iam import lookups
from stslab.sandbox.state.identities import AccessKey, User
from stslab.sandbox.state.settings import Account, CredentialReport
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_GONE = 410
_NO_CERTIFICATES = {
    "cert_1_active": "false",
    "cert_1_last_rotated": "N/A",
    "cert_2_active": "false",
    "cert_2_last_rotated": "N/A",
}
Row = dict[str, str]


def generate_credential_report(tx: Transaction, request: ApiRequest) -> Answer:
    """GenerateCredentialReport: it is ready at once, and says so when asked again."""
    account = lookups.account(tx, request.account)
    report = CredentialReport(request.now, _report(tx, account, request.now))
    tx.put(replace(account, credential_report=report))
    if account.credential_report is not None:
        return {"State": "COMPLETE"}
    return {
        "State": "STARTED",
        "Description": "No report exists. Starting a new report generation task",
    }


def get_credential_report(view: View, request: ApiRequest) -> Answer:
    """GetCredentialReport: the one that was generated last."""
    report = lookups.account(view, request.account).credential_report
    if report is None:
        raise ApiFault("ReportNotPresent", "No credential report is present.", _GONE)
    return {
        "Content": report.text.encode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": report.generated,
    }


def _report(view: View, account: Account, now: datetime) -> str:
    users = sorted(view.all(User, account.account), key=lambda user: user.name)
    rows = [_root_row(view, account, now), *(_user_row(view, user) for user in users)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _root_row(view: View, account: Account, now: datetime) -> Row:
    keys = (key for key in view.all(AccessKey, account.account) if not key.user)
    return {
        "user": "<root_account>",
        "arn": account.root_arn,
        "user_creation_time": _stamp(now),
        "password_enabled": "not_supported",
        "password_last_used": "no_information",
        "password_last_changed": "not_supported",
        "password_next_rotation": "not_supported",
        "mfa_active": "false",
        **_key_columns(sorted(keys, key=lambda key: (key.created, key.key))),
        **_NO_CERTIFICATES,
    }


def _user_row(view: View, user: User) -> Row:
    found = (view.get(AccessKey, user.account, key_id) for key_id in user.access_keys)
    return {
        "user": user.name,
        "arn": user.arn,
        "user_creation_time": _stamp(user.created),
        "password_enabled": _flag(user.login),
        "password_last_used": "no_information" if user.login else "N/A",
        "password_last_changed": "N/A",
        "password_next_rotation": "N/A",
        "mfa_active": _flag(user.mfa_devices),
        **_key_columns([key for key in found if key is not None]),
        **_NO_CERTIFICATES,
    }


def _key_columns(keys: list[AccessKey]) -> Row:
    first, second, *_ = (*keys, None, None)
    return {**_key_column("access_key_1", first), **_key_column("access_key_2", second)}


def _key_column(start: str, key: AccessKey | None) -> Row:
    used = key.last_used if key is not None else None
    return {
        f"{start}_active": _flag(key is not None and key.active),
        f"{start}_last_rotated": _stamp(key.created) if key is not None else "N/A",
        f"{start}_last_used_date": _stamp(used.at) if used else "N/A",
        f"{start}_last_used_region": used.region if used else "N/A",
        f"{start}_last_used_service": used.service if used else "N/A",
    }


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _flag(value: object) -> str:
    return "true" if value else "false"


READS: Reads = {"GetCredentialReport": get_credential_report}
WRITES: Writes = {"GenerateCredentialReport": generate_credential_report}
