"""The ``aws`` command that makes a given call, quoted for a shell, with files for long texts.

Forms: AWS CLI User Guide, "Specify parameter values for the AWS CLI".
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from botocore import xform_name
from msgspec.structs import replace

from stslab.aws import embedded
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.home import private_folder
from stslab.lab.model import Lab
from stslab.resources import bundled, text_of
from stslab.runner.events import Describe
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


# -- the command as it is shown ------------------------------------------------------------------

_LONG = 5  # lines
_LONGEST = 320  # characters: four lines of a screen
_BODY = "Body"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# A variable that is set from the profile of another caller.
_SUBSTITUTED = re.compile(r"(AWS_[A-Z_]+)=(\$\(aws configure get \w+ --profile \w+\))")
_PATTERNS = ("*.json", "templates/*", "lab/*.json", "lab/*.txt")


def describer(lab: Lab | None, keep: Path | None = None) -> Describe:
    """A function that returns a call's ``aws`` command, with keys in its environment if need be.

    A parameter that equals a file of ``lab``, or of stslab, is shown as that file (``file://...``).
    With ``keep``, JSON is on one line, and other texts that are too long for a screen are written
    to files in that folder.
    """

    @cache
    def files() -> dict[str, Path]:
        own = (path for pattern in _PATTERNS for path in sorted(bundled().glob(pattern)))
        further = lab.includes if lab else ()
        return {text: path for path in (*own, *further) if (text := text_of(path))}

    def shown(name: str, value: object, params: Mapping[str, object]) -> object:
        if not isinstance(value, str) or isinstance(value, File):
            return value
        long = value.count("\n") >= _LONG or name == _BODY
        path = files().get(value) if long else None
        if path or keep is None:
            return File(path) if path else value
        brief = value
        with suppress(ValueError):
            if value.lstrip().startswith("{"):  # JSON goes on one line
                brief = json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False)
        if len(brief) <= _LONGEST and name != _BODY:
            return brief
        private_folder(keep)
        sign = hashlib.sha256(value.encode()).hexdigest()[:6]
        file = str(params.get("Key", name)).rsplit("/", 1)[-1] or "body"
        path = keep / f"{sign}-{file}"
        path.write_text(value, encoding="utf-8")
        return File(path)

    def describe(call: Call) -> str:
        params = {name: shown(name, value, call.params) for name, value in call.params.items()}
        profile = lab.profiles.get(call.identity) if lab else None
        if not (lab and profile and profile.environment):
            return aws_command(replace(call, params=params))
        maker = lab.makers.get(profile.environment)
        names = _KEYS[:2] if maker is not None and maker.operation == "CreateAccessKey" else _KEYS
        gets = f"aws configure get {{}} --profile {profile.environment}"
        keys = " ".join(f'{name}="$({gets.format(name.lower())})"' for name in names)
        line = aws_command(replace(call, params=params, identity=profile.named))
        named = "" if profile.option else f"AWS_PROFILE={profile.profile} "
        line = line if profile.option else line.removesuffix(f" --profile {profile.profile}")
        return f"env {keys} {named}{line}"

    return describe


def command_of(
    call: Call, env: Mapping[str, str], describe: Describe, who: str, files: Mapping[str, Path]
) -> str:
    """The ``aws`` command of a call, with ``$NAME`` in place of the values in ``env``.

    ``who`` is the shell's own profile, which the command need not name. ``files`` replace the
    texts that they hold.
    """
    params = {
        name: File(files[value]) if value and isinstance(value, str) and value in files else value
        for name, value in call.params.items()
    }
    words = shlex.split(describe(replace(call, params=params)))
    if who and words[-2:] == ["--profile", who]:
        words = words[:-2]
    names = {value: name for name, value in reversed([*env.items()]) if value}
    return " ".join(_word(word, names) for word in words)


def _word(word: str, names: Mapping[str, str]) -> str:
    """A word quoted for a shell, with variables (``names``, by value) for parts of it."""
    longest_first = sorted(names, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", word) if names else [word]
    texts = parts[::2]  # the values are between them
    if len(parts) == 1:
        kept = _SUBSTITUTED.fullmatch(word)
        return f'{kept[1]}="{kept[2]}"' if kept else shlex.quote(word)
    if texts == ["", ""] and shlex.quote(word) == word:
        return f"${names[word]}"
    if re.search(r'["$`\\!]', "".join(texts)):
        each = (f'"${names[part]}"' if at % 2 else shlex.quote(part) for at, part in
                enumerate(parts) if part)  # fmt: skip
        return "".join(each)
    whole = "".join(f"${{{names[part]}}}" if at % 2 else part for at, part in enumerate(parts))
    return f'"{whole}"'
