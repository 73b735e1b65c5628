"""Checks the names in a lab's expressions: whether a run knows them at that point."""

import re
from collections.abc import Mapping
from functools import partial

import msgspec

from stslab.lab.checking import shapes
from stslab.lab.checking.shapes import ANYTHING, STRING, Shape, structure
from stslab.lab.embedded import LIVE
from stslab.lab.model import ProfileSettings
from stslab.lab.reading import expressions
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.problems import did_you_mean
from stslab.lab.reading.structure import LabDraft
from stslab.lab.references import in_order, names_used, roots
from stslab.structures import beside, said
from stslab.vocabulary import ADMIN

_say = partial(said, beside(__file__, "names.yaml"))

BASE: Mapping[str, Shape] = {
    "run": structure({"id": STRING}),
    **dict.fromkeys(("account", "region", "partition"), STRING),
    "accounts": structure({}),
}
RESERVED = frozenset({*BASE, *LIVE, "profiles"})
_CODES = structure({"code": STRING, "next": STRING})
TOKEN = Shape("string", sensitive=True)
_PROFILE = structure({"access_key_id": STRING, "expiration": STRING})


class Names(msgspec.Struct):
    """The names that a run knows at a point of a lab, and those that it knows only later."""

    report: Report
    names: dict[str, Shape] = {}
    profiles: dict[str, Shape] = {}
    later: dict[str, int] = {}  # the line in which a name is first saved
    later_profiles: dict[str, int] = {}  # or a profile is made
    temporary: set[str] = set()
    unsure: bool = False  # there may be other profiles, which can't be read
    admins: tuple[str, ...] = (ADMIN,)
    settings: Mapping[str, ProfileSettings] = {}

    def __post_init__(self) -> None:
        self.names = {**BASE, **self.names, "profiles": structure(self.profiles)}

    def make_profile(self, name: str, *, temporary: bool) -> None:
        self.profiles[name] = _PROFILE
        self.temporary = self.temporary | {name} if temporary else self.temporary - {name}

    def check_texts(self, node: Node) -> None:
        for text in node.texts():
            self.text(text)

    def text(self, node: Node) -> Shape:
        """Check a text's expressions; return the shape of the resolved text."""
        try:
            holes = expressions.holes(node.value)
        except expressions.BadExpression as bad:
            self.report(node.problem_at(bad.position, bad.message, bad.fix))
            return ANYTHING
        found = [self._hole(node, hole) for hole in holes]
        whole = len(holes) == 1 and holes[0].end - holes[0].start == len(node.value)
        return found[0] if whole else STRING

    def query(self, node: Node, response: Shape) -> Shape:
        """Check a JMESPath over a response of this shape; return the shape of its result."""
        try:
            tree, holes = expressions.query(node.value)
        except expressions.BadExpression as bad:
            self.report(node.problem_at(bad.position, bad.message, bad.fix))
            return ANYTHING
        for hole in holes:
            if shapes.holds_secret(self._hole(node, hole)):
                self.report(node.problem_at(hole.inner, *_say("secret")))
        tree = expressions.bound(tree, tuple(node.value[hole.start : hole.end] for hole in holes))
        return shapes.result_shape(tree, response, self._complainer(node, 0, node.value))

    def _hole(self, node: Node, hole: expressions.Hole) -> Shape:
        unknown = [name for name in roots(hole.tree) if name not in self.names]
        for name in unknown:
            at = hole.inner + _position(name, hole.expression)
            self.report(node.problem_at(at, *self._unknown(name)))
        if unknown:
            return ANYTHING
        complain = self._complainer(node, hole.inner, hole.expression)
        codes = structure(dict.fromkeys(self.names.keys() - RESERVED, _CODES))
        known = {**self.names, **({"mfa": codes} if "mfa" in self.names else {})}
        return shapes.result_shape(hole.tree, structure(known), complain)

    def _unknown(self, name: str) -> tuple[str, str]:
        if name in self.later:
            return _say("later", name=name, line=self.later[name])
        if name in LIVE:
            return _say(name if name in {"token", "tokens"} else "live", name=name)
        return f"There is no name {name}.", did_you_mean(name, self.names, "Add it to `vars`.")

    def _complainer(self, node: Node, start: int, text: str) -> shapes.Complain:
        def complain(word: str, message: str, fix: str) -> None:
            if f'"{word}"' in text:
                fix = f"Double quotes are for names of fields; write text as '{word}'."
            elif word in {"true", "false", "null"}:
                fix = f"Write it between backquotes: `{word}`."
            self.report(node.problem_at(start + _position(word, text), message, fix))

        return complain

    def identity(self, node: Node | None, name: str, part: Node) -> bool:
        """Whether calls can be made as ``name`` here; reports it if they can't."""
        known = [*self.admins, *self.profiles, *self.settings]
        if name in known or self.unsure:
            return self._settings_are_known(name, node or part)
        where = self.later_profiles.get(name)
        message, fix = f"There is no profile {name}.", did_you_mean(name, known)
        if where:
            message = f"There is no profile {name} yet: it is made only in line {where}."
            fix = f"Known here: {', '.join(known)}."
        self.report((node or part).problem(message, fix))
        return False

    def _settings_are_known(self, name: str, node: Node) -> bool:
        """Whether all names in a profile's settings are known here; reports it if not."""
        settings = self.settings.get(name)
        if settings is None:
            return True
        names = names_used(dict(settings.values)) - {"token_file"}
        names |= {"token"} if settings.web_identity_token_file else set()
        if missing := sorted(names - self.names.keys()):
            self.report(node.problem(*_say("profile later", name=name, needs=missing[0])))
            return False
        return all(self.identity(node, source, node) for source in settings.sources)


def _position(word: str, text: str) -> int:
    """The position of a word in an expression; 0 if it is not found."""
    bounded = rf"(?<!\w){re.escape(word)}(?!\w)" if word[:1].isalnum() else re.escape(word)
    at = re.search(bounded, text)
    return at.start() if at else 0


def declare(draft: LabDraft, scope: Names) -> None:
    """Check the lab's variables and add them to the scope; note names that come later."""
    accounts = draft.part.accounts
    scope.admins = (ADMIN, *accounts)
    profiles = draft.node.get("profiles")
    unread = dict.fromkeys(profiles.keys if profiles else (), ProfileSettings())
    scope.settings = {**unread, **draft.part.profiles}
    scope.temporary |= {*scope.settings}
    scope.names["accounts"] = structure(dict.fromkeys(accounts, structure({"id": STRING})))
    variables = draft.node.get("vars")
    named: Mapping[str, Node] = variables.value if variables and variables.keys else {}
    _note_later(draft, scope, named)
    for name, node in named.items():
        if name in RESERVED and variables:
            scope.report(variables.keys[name].problem(*_say("reserved", name=name)))
        whole = isinstance(node.value, str) and node.value.startswith(expressions.OPEN)
        scope.names.setdefault(name, ANYTHING if whole else shapes.shape_of(node.plain()))
    for node in named.values():
        scope.check_texts(node)
    if tokens := draft.node.get("tokens"):
        scope.check_texts(tokens)
        scope.names["tokens"] = structure(dict.fromkeys(tokens.keys, TOKEN))
    scope.names |= {"now": STRING, "mfa": ANYTHING}
    _, circle = in_order({name: node.plain() for name, node in named.items()})
    if circle:
        scope.report(named[circle[0]].problem(*_say("circle", names=", ".join(circle))))


def _note_later(draft: LabDraft, scope: Names, named: Mapping[str, Node]) -> None:
    """Note what the steps make; a name can be saved only once."""
    first = {name: node.line for name, node in named.items()}
    for step in draft.steps:
        saved, profile, token = map(step.node.get, ("save", "profile", "token"))
        for name, key in saved.keys.items() if saved else ():
            if name in RESERVED or name in first:
                message = f"The name {name} is reserved."
                if name not in RESERVED:
                    message = f"{name} already has a value, from line {first[name]}."
                scope.report(key.problem(message, "Save it under another name."))
            first.setdefault(name, key.line)
            scope.later.setdefault(name, key.line)
        if token:
            scope.later.setdefault("token", token.line)
        if "profile" in step.spoiled:
            scope.unsure, scope.names["profiles"] = True, ANYTHING
        made = profile.get("name") if profile else None
        if made and isinstance(made.value, str):
            scope.later_profiles.setdefault(made.value, made.line)
