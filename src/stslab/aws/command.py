"""The ``aws`` command that makes a given call, quoted for a shell.

Forms: AWS CLI User Guide, "Specify parameter values for the AWS CLI".
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence

from botocore import xform_name

from stslab.aws import embedded
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.runner.ports import Call
from stslab.vocabulary import ADMIN

# Names of services and parameters that differ between the CLI and the API.
_SERVICES = {"s3": "s3api", "config": "configservice", "codedeploy": "deploy"}
_OPTIONS = {
    ("iam", operation, f"AuthenticationCode{number}"): f"authentication-code-{number}"
    for operation in ("EnableMFADevice", "ResyncMFADevice")
    for number in (1, 2)
}
# Operations whose answer the CLI writes to a file, which must be named.
_OUTFILES = {
    ("s3", "GetObject"): ("/dev/stdout",),
    ("s3", "SelectObjectContent"): ("/dev/stdout",),
    ("iam", "CreateVirtualMFADevice"): tuple(
        "--outfile mfa-seed.txt --bootstrap-method Base32StringSeed".split()
    ),
}
_STREAMED = frozenset({("s3", "PutObject", "Body"), ("s3", "UploadPart", "Body")})


class File(str):
    """The path of a file, in place of what it holds."""

    __slots__ = ()


# The CLI would read a value that begins so, and a list of one, from there: version 1 gets URLs too,
# except for some parameters that are URLs.
_READ_FROM = re.compile(r"fileb?://|https?://")
_URLS = frozenset({"Url", "QueueUrl", "TemplateURL"})
_WORDS = re.compile(r"[A-Za-z0-9_.:/@+-]+")


def aws_command(call: Call) -> str:
    """The command in one line. Secrets are hidden as they are in ``call``.

    A streaming body becomes a file name for the CLI: its own, or the last part of its key.
    """
    if call.service == embedded.SERVICE:
        return embedded.command(call.operation, call.params)
    key = (call.service, call.operation)
    words = ["aws", _SERVICES.get(call.service, call.service), xform_name(call.operation, "-")]
    literal = {}
    for name, value in call.params.items():
        only = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        if (*key, name) in _STREAMED:
            named = str(call.params.get("Key", "")).rsplit("/", 1)[-1] or "body"
            words += _option(key, name, value if isinstance(value, File) else named)
        elif isinstance(value, File):
            words += _option(key, name, f"file://{value}")
        elif _READ_FROM.match(str(only)) and not (name in _URLS and str(only).startswith("http")):
            literal[name] = value
        else:
            words += _option(key, name, value)
    if literal:
        words += ["--cli-input-json", json.dumps(literal, ensure_ascii=False)]
    words += _OUTFILES.get(key, ())
    anonymous = call.identity == "anonymous"
    words += ["--no-sign-request"] if anonymous else ["--profile", call.identity or ADMIN]
    return shlex.join(words)


def _option(key: tuple[str, str], name: str, value: object) -> list[str]:
    option = _OPTIONS.get((*key, name), xform_name(name, "-"))
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    words = _values(value)
    # The CLI would take a word with a leading dash for an option.
    if len(words) == 1 and words[0].startswith("-"):
        return [f"--{option}={words[0]}"]
    return [f"--{option}", *words]


def _values(value: object) -> list[str]:
    if isinstance(value, list | tuple) and value:
        words = [word for part in value if (word := _in_list(part)) is not None]
        if len(words) == len(value):
            return words
    if isinstance(value, Mapping | list | tuple):
        return [json.dumps(value, ensure_ascii=False, default=str)]
    return [str(value)]


def _in_list(part: object) -> str | None:
    """A list item as one word: plain, or a structure in the CLI's shorthand; else None."""
    if isinstance(part, Mapping):
        plain = all(
            isinstance(value, str) and _WORDS.fullmatch(value) and "://" not in value
            for value in part.values()
        )
        return ",".join(f"{name}={part[name]}" for name in part) if part and plain else None
    if isinstance(part, str) and part and not part.startswith(("-", "[", "{")):
        return part
    return str(part) if isinstance(part, int) and not isinstance(part, bool) else None


def names_after(words: Sequence[str]) -> list[str]:
    """Completions of an ``aws`` command: the services, operations or options that may follow."""
    catalogue = BotocoreCatalogue()
    plain = [word for word in words if not word.startswith("-")]
    if not plain:
        return sorted({"s3", *(_SERVICES.get(name, name) for name in catalogue.services())})
    service = next((api for api, cli in _SERVICES.items() if cli == plain[0]), plain[0])
    operations = {xform_name(name, "-"): name for name in catalogue.operations(service)}
    if len(plain) == 1:
        return list(operations)
    known = catalogue.operation(service, operations.get(plain[1], ""))
    options = [f"--{xform_name(name, '-')}" for name in (known.input.members if known else ())]
    return [*options, "--profile", "--query", "--output"]
