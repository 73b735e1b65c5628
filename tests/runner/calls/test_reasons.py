"""The reason of a refusal: from AWS's error, and compared with the lab's."""

import pytest

from stslab.lab.model import Check
from stslab.runner.calls.calls import mismatch, reason_of
from stslab.runner.ports import Reason, Refusal

ROLE = "arn:aws:iam::111122223333:role/r"
WHO = "User: arn:aws:iam::111122223333:user/u is not authorized to perform:"


# The wordings are those of the IAM User Guide, "Troubleshoot access denied error messages", and
# of the STS and S3 API references, "Common errors".
@pytest.mark.parametrize(
    ("code", "message", "gates", "whole"),
    [
        ("AccessDenied", (f"{WHO} s3:ListBucket because no identity-based policy allows the"
         " s3:ListBucket action"), ["identity policy"], False),
        ("AccessDenied", f"{WHO} s3:ListBucket with an explicit deny in a service control policy",
         ["scp"], False),
        ("AccessDenied", (f"{WHO} sts:AssumeRole on resource: {ROLE} because no role trust policy"
         " allows the sts:AssumeRole action"), ["trust policy"], False),
        ("AccessDenied", (f"{WHO} sts:AssumeRole on resource: {ROLE} because no resource-based"
         " policy allows the sts:AssumeRole action"), ["trust policy"], False),
        ("AccessDenied", (f"{WHO} s3:GetObject on resource: arn:aws:s3:::b/k because no VPC endpoint"
         " policy allows the s3:GetObject action"), ["vpc endpoint policy"], False),
        ("AccessDenied", f"{WHO} sts:AssumeRole on resource: {ROLE}", None, None),
        ("AccessDenied", "Access Denied", None, None),
        ("InvalidClientTokenId", "The security token included in the request is invalid.",
         ["signature"], True),
        ("SignatureDoesNotMatch", ("The request signature we calculated does not match the"
         " signature you provided."), ["signature"], True),
        ("ExpiredToken", "The security token included in the request is expired",
         ["signature"], True),
        ("NoSuchEntity", "The user with name u cannot be found.", None, None),
    ],
)  # fmt: skip
def test_the_gate_that_awss_error_names(code, message, gates, whole):
    reason = reason_of(Refusal(code, message, 403))
    if gates is None:
        assert reason is None
    else:
        assert reason == Reason(tuple(gates), whole=whole)


KEYS = ("sts:ExternalId", "aws:PrincipalArn")


@pytest.mark.parametrize(
    ("by", "key", "reason", "said"),
    [
        ((), None, None, ""),
        ((), None, Reason(()), ""),
        ((), None, Reason(("scp",)), "refused by scp, where no policy should refuse"),
        (("trust policy",), None, None, ""),
        (("trust policy",), None, Reason(("trust policy",)), ""),
        (("trust policy",), None, Reason(("identity policy",)),
         "refused by identity policy, where trust policy should refuse"),
        (("trust policy",), None, Reason(("trust policy", "scp")),
         "refused by trust policy and scp, where trust policy should refuse"),
        (("scp", "trust policy"), None, Reason(("trust policy", "scp")), ""),
        (("scp", "trust policy"), None, Reason(("scp",)),
         "refused by scp, where scp and trust policy should refuse"),
        (("trust policy",), None, Reason(()),
         "refused by no policy, where trust policy should refuse"),
        (("trust policy",), "STS:externalid", Reason(("trust policy",), KEYS), ""),
        (("trust policy",), "aws:SourceIp", Reason(("trust policy",), KEYS),
         "sts:ExternalId and aws:PrincipalArn decided, where aws:SourceIp should decide"),
        (("trust policy",), "aws:SourceIp", Reason(("trust policy",)),
         "no condition decided, where aws:SourceIp should decide"),
        (("resource policy",), None, Reason(("identity policy",)),
         ("refused by identity policy, where resource policy should refuse; if either"
          " could allow it and neither does, the identity policy refuses")),
        # A real account names one gate, and no key.
        (("scp", "trust policy"), "aws:SourceIp", Reason(("scp",), whole=False), ""),
        (("trust policy",), None, Reason(("scp",), whole=False),
         "refused by scp, where trust policy should refuse"),
    ],
)  # fmt: skip
def test_a_refusal_is_compared_with_its_reason(by, key, reason, said):
    check = Check(says="S", call="s3.ListBuckets", fails=("AccessDenied",), by=by, key=key)
    assert mismatch(check, "AccessDenied", reason) == said


def test_an_error_that_is_not_a_denial_has_no_gate():
    check = Check(says="S", call="iam.GetUser", fails=("NoSuchEntity",))
    assert mismatch(check, "NoSuchEntity", Reason(())) == ""
    assert mismatch(check, "InvalidClientTokenId", Reason(("signature",))) == ""
