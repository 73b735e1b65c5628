"""Write a lab as a shell script of ``aws`` commands, with shell variables for its values.

The script makes the lab's checks too, and ends at the first that fails.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from stslab.errors import UnresolvedReference
from stslab.lab.embedded import GIVES_TOKEN, token_params
from stslab.lab.model import Check, Lab, Stage, Step, Wait
from stslab.lab.references import names_used, resolve
from stslab.render.text.safe import one_line
from stslab.render.text.shellwords import kept, wrapped
from stslab.runner.events import Describe
from stslab.runner.ports import Call

_WIDTH = 96
_MARK = re.compile(r"__stslab_(\w+?)__")
_NEEDS_SINGLE_QUOTES = re.compile(r'["$`\\]')
_TOKEN = re.compile(r"\btokens\.(\w+)")
_BODY = re.compile(r"\bBody\b")
_CODE_OF = re.compile(r"\bmfa\.(\w+)")
_PARTS = {"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": "token"}
_GIVEN = ("account", "region", "partition")


class _Writer(msgspec.Struct, frozen=True):
    """Writes calls as commands. In ``scope``, each value is a mark of its shell variable."""

    lab: Lab
    describe: Describe
    scope: Mapping[str, Any]

    def command(self, identity: str, call: str, params: Any, *query: str, lead: str = "") -> str:
        """One wrapped command; ``lead`` comes before it, as in ``refused AccessDenied``."""
        service, _, operation = call.partition(".")
        line = self.describe(Call(identity, service, operation, self.value(params or {})))
        return _laid_out([*shlex.split(lead), *shlex.split(line), *query])

    def waiting(self, identity: str, call: str, wait: Wait) -> str:
        """The CLI's own waiter."""
        service = call.partition(".")[0]
        shown = Call(identity, service, "Wait", self.value(wait.params or {}))
        words = shlex.split(self.describe(shown))
        words[2:3] = ["wait", wait.waiter.replace("_", "-")]
        return _laid_out(words)

    def settings(self, identity: str) -> Iterator[str]:
        """The commands that set up a profile, after those for its source profiles."""
        profile = self.lab.profiles.get(identity)
        for source in profile.sources if profile else ():
            yield from self.settings(source)
        if profile and not profile.environment:
            for name, value in profile.values.items():
                put = ["aws", "configure", "set", name, str(self.value(value))]
                yield _laid_out([*put, "--profile", identity])
            yield f"point {identity}"

    def value(self, value: Any) -> Any:
        """A lab's value, with marks in place of what only a run knows."""
        try:
            return resolve(value, self.scope)
        except UnresolvedReference:
            return value

    def stage(self, stage: Stage) -> Iterator[str]:
        for step in reversed(self.lab.steps) if stage.cleanup else ():
            for undo in step.undo or ():
                identity = undo.identity or step.identity
                yield self.command(identity, undo.call, undo.params)
                if undo.wait:
                    yield self.waiting(identity, undo.call, undo.wait)
        for step in stage.steps:
            yield from ("", f"# {one_line(step.title)}", *self.settings(step.identity))
            yield from (*self.inputs(step.params), *self.step(step))
        for check in stage.checkpoint:
            if check.call:
                yield from ("", f"# {one_line(check.says)}", *self.settings(check.identity))
                yield from (*self.inputs(check.params), self.check(check))

    def inputs(self, params: Mapping[str, Any]) -> Iterator[str]:
        """The commands that get the time, tokens and MFA codes that a call uses."""
        if "now" in names_used(params):
            yield "now=$(stslab sandbox clock | cut -d' ' -f1)"
        for name in sorted(set(_TOKEN.findall(str(params)))):
            command = self.command("admin", GIVES_TOKEN, token_params(self.lab.tokens[name]))
            yield f"token_{name}=$({command})"
        for device in sorted(set(_CODE_OF.findall(str(params)))):
            for line, word in enumerate(("code", "next"), 1):
                yield f'{device}_{word}=$(stslab sandbox mfa "${device}" | sed -n {line}p)'

    def step(self, step: Step) -> Iterator[str]:
        called = (step.identity, step.call, step.params)
        profile = step.profile
        file = str(step.params.get("Key", "")).rsplit("/", 1)[-1] or "body"
        command = self.command(*called)
        if "Body" in step.params and f"--body {_word(file)}" in command:  # not a file of the lab
            yield f"printf %s {_word(str(self.value(step.params['Body'])))} > {_word(file)}"
        paths = dict(step.save)  # in the answer, by shell variable
        if profile:
            for part, name in _PARTS.items():
                paths[f"{profile.name}_{name}"] = f"{profile.source}.{part}"
        if paths:
            query = ["--query", f"[{', '.join(paths.values())}]", "--output", "text"]
            yield f"answer=$({self.command(*called, *query)})"
            yield f"read -r {' '.join(paths)} <<EOF\n$answer\nEOF"
        elif step.token:
            yield f"token=$({command})"
            yield 'token_file=$(pwd)/token\nprintf %s "$token" > "$token_file"'
        else:
            yield command
        if profile:
            name, spoil = profile.name, profile.spoil
            secret = "another-secret" if spoil == "SecretAccessKey" else f'"${name}_secret"'
            token = '""' if spoil == "SessionToken" else f'"${name}_token"'
            yield f'keep {name} "${name}_key" {secret} {token}'
        if step.wait:
            yield self.waiting(step.identity, step.call, step.wait)

    def check(self, check: Check) -> str:
        # The CLI writes an object's content to a file, which --query can't search.
        asks = check.expect and not (check.call == "s3.GetObject" and _BODY.search(check.expect))
        query = ["--query", str(self.value(check.expect))] if asks and not check.fails else []
        lead = f"refused {check.fails[0]}" if check.fails else "holds" if query else ""
        return self.command(check.identity, str(check.call), check.params, *query, lead=lead)


def script_of(lab: Lab, describe: Describe) -> str:
    """The whole lab as a POSIX shell script; ``describe`` returns a call's ``aws`` command."""
    writer = _Writer(lab, describe, _scope(lab))
    head = Path(__file__).with_name("script.sh").read_text(encoding="utf-8")
    lines = [head.replace("TITLE", one_line(lab.title)).replace("LAB", lab.id)]
    asks = "aws sts get-caller-identity --query Account --output text --profile"
    lines += [f"{name}=$({asks} {name})" for name in lab.accounts]
    lines += [f"{name}={_word(str(writer.value(value)))}" for name, value in lab.vars.items()]
    for number, stage in enumerate(lab.stages, 1):
        lines += ["", f"# {number}. {one_line(stage.title)}", *writer.stage(stage)]
    return "\n".join(lines) + "\n"


def _scope(lab: Lab) -> dict[str, Any]:
    saved = [*lab.vars, *(name for step in lab.steps for name in step.save)]
    return {
        "run": {"id": _mark("run")},
        "accounts": {name: {"id": _mark(name)} for name in lab.accounts},
        "mfa": {name: {"code": _mark(f"{name}_code"), "next": _mark(f"{name}_next")}
                for name in saved},
        **{name: _mark(name) for name in (*_GIVEN, "now", "token", "token_file", *saved)},
        "tokens": {name: _mark(f"token_{name}") for name in lab.tokens},
        "profiles": {name: {"access_key_id": _mark(f"{name}_key")} for name in lab.makers},
    }  # fmt: skip


def _mark(variable: str) -> str:
    return f"__stslab_{variable}__"


def _laid_out(words: list[str]) -> str:
    return "\n".join(wrapped(" ".join(map(_word, words)), _WIDTH))


def _word(word: str) -> str:
    """A word quoted for the shell, with variables in place of marks."""
    if kept(word):
        return kept(word)
    plain = not _NEEDS_SINGLE_QUOTES.search(word)
    if plain and (_MARK.search(word) or "'" in word):
        return '"' + _MARK.sub(r"${\1}", word) + '"'
    parts = _MARK.split(word)
    quoted = [f'"${part}"' if at % 2 else shlex.quote(part) for at, part in enumerate(parts)]
    return "".join(part for part in quoted if part != "''") or "''"
