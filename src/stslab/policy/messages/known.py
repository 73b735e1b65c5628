"""Errors that no policy decides: credentials, clocks, tokens, and what can't be called at all.

The meanings are those of "Common Error Types" (IAM), "Error responses" (Amazon S3), "Errors"
of the STS operations, and "Troubleshoot IAM". The first pattern that fits is the one.
"""

from typing import Final

from stslab.policy.messages.clients import spaced
from stslab.policy.messages.message import Known, Step
from stslab.policy.vocabulary import Gate

_WHICH_KEYS: Final = Step(
    "See which credentials are used, and where they come from. Variables such as "
    "AWS_ACCESS_KEY_ID win over a profile:",
    ("aws configure list",),
)
_WHO: Final = Step("See which caller they make you:", ("aws sts get-caller-identity",))
_CLOCK: Final = Step("Compare this machine's clock with the time in the message:", ("date -u",))
_PROFILES: Final = Step("See which profiles there are:", ("aws configure list-profiles",))
_SIGN_IN: Final = Step(
    "Sign in again (name the profile that you use with --profile):", ("aws sso login",)
)
_NO_CALLER: Final = "Who asked: the request was refused before that was looked at."
_NO_KEY: Final = "Which key it was: AWS doesn't repeat it."


def _row(
    pattern: str, gate: Gate | None, says: str, cannot_say: tuple[str, ...], *steps: Step
) -> Known:
    return Known(spaced(pattern), gate, says, cannot_say, steps)


KNOWN: Final = (
    _row(
        r"MultiFactorAuthentication failed|MFA(?:Token)? (?:code|token) is invalid",
        Gate.SIGNATURE,
        "The MFA code, or the device that it belongs to, was not accepted.",
        ("Whether the code was wrong, used already or old, or the device is another user's.",),
        Step("Wait for the next code: each is good for one call."),
        Step(
            "See which devices the user has; --serial-number is the whole ARN:",
            ("aws iam list-mfa-devices",),
        ),
        _WHO,
    ),
    _row(
        r"Roles may not be assumed by root accounts",
        None,
        "The root user asked. It can't assume a role, whatever any policy says.",
        (),
        Step("Is the caller the root user (an ARN that ends in :root)?", _WHO.commands),
        _WHICH_KEYS,
        Step(
            "Ask as an IAM user or a role instead. A root user needs no access keys: delete them."
        ),
    ),
    _row(
        r"Cannot call Get(?:Session|Federation)Token with session credentials",
        None,
        "The call needs a user's own access key, and a session's was used. No policy changes that.",
        (),
        _WHO,
        _WHICH_KEYS,
        Step("From a session, go on with AssumeRole instead."),
    ),
    _row(
        r"The ciphertext refers to a customer master key that does not exist",
        None,
        "KMS can't or won't use the key: it is not there, not in this region, or not yours to use.",
        ("Which of the three it is: KMS says the same of all.", "Which key it is."),
        Step("Is that the caller that you meant?", _WHO.commands),
        Step("Is it the region of the key?", ("aws configure get region",)),
        Step(
            "Is the key there? (Keys of other accounts are not listed.)",
            ("aws kms list-aliases --query 'Aliases[].[AliasName,TargetKeyId]' --output text",),
        ),
        Step("Only then look at the key's policy, which must let the caller use kms:Decrypt."),
    ),
    _row(
        r"No OpenIDConnect provider found in your account",
        Gate.SIGNATURE,
        "The role's account has no identity provider with the issuer of this token.",
        ("Which account that is: its id is in the ARN of the role that was asked for.",),
        Step("Is the role's ARN the right one, with the account that you meant?"),
        Step(
            "Does that account know the issuer? Compare the URL to the letter:",
            ("aws iam list-open-id-connect-providers",),
        ),
    ),
    _row(
        r"Incorrect token audience",
        Gate.SIGNATURE,
        "The token was made for another audience than the provider in IAM lists.",
        ("Which audience the token has: it stands in its `aud`.",),
        Step("Ask the issuer for a token with the audience that AWS expects: sts.amazonaws.com."),
        Step(
            "See which the providers are, then what audiences one lists (get-open-id-...):",
            ("aws iam list-open-id-connect-providers",),
        ),
    ),
    _row(
        r"InvalidIdentityToken|Couldn't retrieve verification key from your identity provider",
        Gate.SIGNATURE,
        "AWS could not verify the token: its signature, its issuer, its times or its audience.",
        ("What is wrong with it, unless the words behind the code say so.",),
        Step("Get a new token and try once more: they are short-lived."),
        Step(
            "Does the role's account know the issuer? Compare the URL to the letter:",
            ("aws iam list-open-id-connect-providers",),
        ),
    ),
    _row(
        r"RequestTimeTooSkewed|RequestExpired|Signature (?:expired|not yet current)",
        Gate.SIGNATURE,
        "The request was signed with a time that is too far from AWS's.",
        (_NO_CALLER,),
        _CLOCK,
        Step("Set the clock, best by NTP (virtual machines lag after sleep), and call again."),
    ),
    _row(
        r"SignatureDoesNotMatch|InvalidSignatureException|"
        r"signature we calculated does not match",
        Gate.SIGNATURE,
        "The signature is not the one that AWS computes: the secret is another key's, or mistyped.",
        (_NO_CALLER, "Whether the secret is wrong, or something changed the request on its way."),
        _WHICH_KEYS,
        Step("Do the key's id and its secret belong together? Copy both anew, without blanks."),
        _CLOCK,
        Step("Does a proxy change headers or the path? Try without it."),
    ),
    _row(
        r"Token has expired and refresh failed|Error loading SSO Token|"
        r"SSO session associated with this profile has expired",
        Gate.SIGNATURE,
        "You are signed out of IAM Identity Center; no request went to AWS.",
        (),
        _SIGN_IN,
        _WHO,
    ),
    _row(
        r"ExpiredToken(?:Exception)?\b|security token included in the request is expired|"
        r"TokenRefreshRequired",
        Gate.SIGNATURE,
        "The session has ended: temporary credentials last from 15 minutes to 36 hours.",
        (_NO_CALLER,),
        Step(
            "See where the credentials come from: old variables win over a fresh profile.",
            ("aws configure list",),
        ),
        Step("Get new ones: assume the role again, or sign in again:", ("aws sso login",)),
        _WHO,
    ),
    _row(
        r"InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|AuthFailure|"
        r"security token included in the request is invalid|"
        r"was not able to validate the provided access credentials",
        Gate.SIGNATURE,
        "AWS knows no such access key: it was deleted or disabled, mistyped, or lacks its token.",
        (_NO_KEY, "Whether the key is unknown, or one of a session sent without its token."),
        _WHICH_KEYS,
        _WHO,
        Step(
            "A key that begins with ASIA needs its AWS_SESSION_TOKEN as well. One that "
            "GetSessionToken gave without MFA can't call IAM."
        ),
        Step("China and GovCloud know only their own keys; is the region the right one?"),
    ),
    _row(
        r"MissingAuthenticationToken|IncompleteSignature",
        Gate.SIGNATURE,
        "The request was not signed, or not as AWS wants it.",
        (_NO_CALLER,),
        _WHICH_KEYS,
        Step("Is the address right? API Gateway says the same of a path that it doesn't have."),
    ),
    _row(
        r"Unable to locate credentials|NoCredentialsError|NoCredentialProviders|"
        r"Could not load credentials from any providers|No valid credential sources|"
        r"Unable to load (?:AWS )?credentials from any|no EC2 IMDS role found",
        Gate.SIGNATURE,
        "The client found no credentials; no request went to AWS.",
        (),
        _WHICH_KEYS,
        _PROFILES,
        Step("Name one with --profile or AWS_PROFILE, or sign in:", ("aws sso login",)),
    ),
    _row(
        r"config profile \([^)]{1,200}\) could not be found|ProfileNotFound",
        Gate.SIGNATURE,
        "There is no such profile; no request went to AWS.",
        (),
        _PROFILES,
        _WHICH_KEYS,
    ),
)
"""Every error that is told apart from a refusal by a policy."""
