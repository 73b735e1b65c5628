"""AWS's error codes in plain words, each with the page of AWS's documentation that has it."""

from collections.abc import Mapping
from typing import NamedTuple

_DOCS = "https://docs.aws.amazon.com/"
_GUIDE = "IAM/latest/UserGuide/"


class Meaning(NamedTuple):
    """What an error code says, and the page to read."""

    says: str
    page: str


_BY_PAGE: Mapping[str, Mapping[str, str]] = {
    f"{_GUIDE}troubleshoot_access-denied.html": {
        "AccessDenied": "No policy allows the call, or one denies it.",
        "AccessDeniedException": "No policy allows the call, or one denies it.",
        "UnauthorizedOperation": "No policy allows the call, or one denies it.",
        "403": "No policy allows the call, or one denies it. A HEAD request gets no message.",
    },
    "IAM/latest/APIReference/CommonErrors.html": {
        "ExpiredToken": "The session has ended: get new temporary credentials.",
        "ExpiredTokenException": "The session has ended: get new temporary credentials.",
        "IncompleteSignature": "The signature is not one of AWS's form.",
        "InternalFailure": "AWS failed inside. Try again later.",
        "InvalidAction": "There is no such operation: look at its name.",
        "InvalidClientTokenId": "AWS does not know the access key id: deleted, or too new.",
        "MissingAuthenticationToken": "The request was not signed.",
        "OptInRequired": "The account has not signed up for this service.",
        "RequestExpired": "The request was signed too long ago: compare this machine's clock.",
        "ServiceUnavailable": "AWS is too busy for a moment. Try again.",
        "Throttling": "There were too many requests in a short time. Try again, more slowly.",
        "ThrottlingException": "There were too many requests in a short time. Try more slowly.",
        "UnrecognizedClientException": "AWS does not know the access key id.",
        "ParamValidation": "A parameter has not the form that the operation wants.",
        "ValidationError": "A parameter has not the form that the operation wants.",
    },
    f"{_GUIDE}reference_sigv-troubleshooting.html": {
        "SignatureDoesNotMatch": "The secret key is not that of the access key id, or the request"
        " was changed on its way.",
        "InvalidSignatureException": "The signature is wrong: the key, the region or the clock.",
    },
    f"{_GUIDE}reference_iam-quotas.html": {
        "LimitExceeded": "The account has as many of these as it may have.",
    },
    f"{_GUIDE}reference_policies_grammar.html": {
        "MalformedPolicyDocument": "The policy breaks the grammar of policies.",
    },
    "IAM/latest/APIReference/API_CreateUser.html": {
        "ConcurrentModification": "Somebody changes the same thing at this moment. Try again.",
        "EntityAlreadyExists": "There is one of this name already.",
        "InvalidInput": "A parameter is of a wrong form, or out of range.",
        "NoSuchEntity": "IAM has nothing of this name: it was deleted, or never made.",
        "ServiceFailure": "IAM failed inside. Try again later.",
    },
    "IAM/latest/APIReference/API_UpdateUser.html": {
        "EntityTemporarilyUnmodifiable": "It was just deleted or made. Try again in a minute.",
    },
    "IAM/latest/APIReference/API_DeleteUser.html": {
        "DeleteConflict": "Something still belongs to it, such as a key: remove that first.",
    },
    f"{_GUIDE}id_roles_create-service-linked-role.html": {
        "UnmodifiableEntity": "Only the service that this role belongs to may change it.",
    },
    "STS/latest/APIReference/API_AssumeRole.html": {
        "PackedPolicyTooLarge": "The session policies and tags are too long together.",
        "RegionDisabledException": "STS is switched off in this region, for this account.",
    },
    "STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html": {
        "IDPCommunicationError": "AWS could not reach the identity provider. Try again.",
        "IDPRejectedClaim": "The identity provider says that the claim is invalid, or has ended.",
        "InvalidIdentityToken": "AWS could not verify the identity token: get a new one.",
    },
    "AmazonS3/latest/API/ErrorResponses.html": {
        "404": "It is not there. A HEAD request gets no message.",
        "BucketAlreadyExists": "Somebody has a bucket of this name. All accounts share the names.",
        "BucketAlreadyOwnedByYou": "You have a bucket of this name already.",
        "BucketNotEmpty": "There is still something in the bucket, versions count too.",
        "InternalError": "S3 failed inside. Try again.",
        "InvalidAccessKeyId": "AWS does not know the access key id.",
        "InvalidBucketName": "A bucket can't have this name.",
        "InvalidToken": "The session token is malformed, or not of this access key.",
        "NoSuchBucket": "There is no bucket of this name.",
        "NoSuchBucketPolicy": "The bucket has no policy.",
        "NoSuchKey": "There is no object of this name in the bucket.",
        "PermanentRedirect": "The bucket is in another region.",
        "RequestTimeTooSkewed": "This machine's clock is more than 15 minutes off.",
        "SlowDown": "There were too many requests in a short time. Try again, more slowly.",
    },
    "AWSCloudFormation/latest/APIReference/API_CreateStack.html": {
        "AlreadyExistsException": "There is a stack of this name already.",
        "InsufficientCapabilitiesException": "The template makes IAM resources: agree to it with"
        " Capabilities.",
        "LimitExceededException": "The account has as many of these as it may have.",
    },
    "AWSCloudFormation/latest/UserGuide/troubleshooting.html": {
        "WaitFailed": "What the call began has failed: the stack's events say why.",
    },
}
_MEANINGS = {
    code: Meaning(says, _DOCS + page)
    for page, codes in _BY_PAGE.items()
    for code, says in codes.items()
}


def meaning(code: str) -> Meaning | None:
    """What AWS means by an error code; None for one that is not in the table."""
    return _MEANINGS.get(code)
