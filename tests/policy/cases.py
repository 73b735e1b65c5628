"""Short ways to write policies and cases, and to decide a case."""

import json

from stslab.policy.cases import decide_lines

ACCOUNT, OTHER = "111122223333", "444455556666"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
EVE = f"arn:aws:iam::{OTHER}:user/eve"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/night"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/alice"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
BUCKET = "arn:aws:s3:::shop/a"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"
LAB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/lab"


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action="*", resource="*", **elements):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


def deny(action="*", resource="*", **elements):
    return {**allow(action, resource, **elements), "Effect": "Deny"}


def grant(principal, action="*", **elements):
    """A statement of a resource-based policy."""
    return {"Effect": "Allow", "Principal": principal, "Action": action, **elements}


def refuse(principal, action="*", **elements):
    return {**grant(principal, action, **elements), "Effect": "Deny"}


def all_but(*names):
    """A Deny for all principals but those of these names."""
    return {"Effect": "Deny", "NotPrincipal": aws(*names), "Action": "*"}


def aws(*names):
    return {"AWS": list(names)}


def case(principal=ALICE, action="s3:GetObject", resource=BUCKET, **fields):
    """A case; ``identity``, ``resource_policy``… are lists of statements, of one policy each."""
    found = {"id": "c", "principal": principal, "action": action, "resource": resource}
    short = {
        "identity": "identity_policies",
        "boundary": "permissions_boundaries",
        "session": "session_policies",
    }
    for name, value in fields.items():
        if name in short:
            found[short[name]] = [policy(*value)]
        elif name == "shared":
            found["resource_policy"] = policy(*value)
        elif name in ("scps", "rcps"):
            long = {"scps": "service_control_policies", "rcps": "resource_control_policies"}
            found[long[name]] = [[policy(*level)] if level else [] for level in value]
        else:
            found[name] = value
    return found


def decide(asked):
    """The answer to one case, as the interface for programs gives it."""
    ((text, _),) = decide_lines([json.dumps(asked)])
    return json.loads(text)
