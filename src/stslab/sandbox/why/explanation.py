"""One request of the log, explained for people and programs."""

from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED, UNVERIFIED, Event, is_refused
from stslab.sandbox.why import unbelieved, unverified
from stslab.sandbox.why.options import Option
from stslab.sandbox.why.plan import plan
from stslab.sandbox.why.situation import Situation

KeyFacts = Callable[[str], Mapping[str, Any] | None]
_BESIDE_POLICIES = (
    "No policy refused it: a rule of the service's own did, which what AWS said names.",
    "The policies allow it. What refused is a rule of the service's own; what AWS said names it.",
)
_NO_ROLE = (
    "There is no role of this ARN. AWS answers that as it answers a role that does not trust "
    "the caller, so that nobody learns which roles there are."
)


def explain(event: Event, key_facts: KeyFacts) -> dict[str, Any]:
    """The explanation of a logged request, as JSON holds it.

    ``request``: who asked for what, when, and what was answered. ``decision``: the one that
    refused, else the last one, as logged; None where nothing was decided. ``why``: a sentence.
    ``changes``: for each layer that refused, ``{"layer", "options": [{"what", "statement",
    "command"}]}``. ``complete``: whether with the first option of each the request is allowed,
    found out by deciding it again; None where that can't be said. ``key_facts`` tells what the
    sandbox knows now of an access key, or None if it can't be asked.
    """
    decision = telling_decision(event)
    code = event.get("errorCode", "")
    if code in UNAUTHENTICATED and decision is None:
        key = event["userIdentity"].get("accessKeyId", "")
        found = unbelieved.reason(code, event.get("errorMessage", ""), key_facts(key))
        changes = [{"layer": "authentication", "options": [_told(what) for what in found.fixes]}]
        return _explanation(event, None, found.why, changes if found.fixes else [])
    if code in UNVERIFIED and decision is None:
        said = unverified.reason(event.get("errorMessage", ""))
        fixes = [_told(what) for what in said.fixes]
        changes = [{"layer": "identity provider", "options": fixes}] if fixes else []
        return _explanation(event, None, said.why, changes)
    if decision is None or decision["decision"] == "Allowed":
        return _explanation(event, decision, _beside(event, decision), [])
    if _is_no_role(decision):
        fix = [_told("Compare the ARN: aws iam list-roles shows those that there are.")]
        return _explanation(event, decision, _NO_ROLE, [{"layer": "role", "options": fix}])
    return _denial(event, decision)


def telling_decision(event: Event) -> Mapping[str, Any] | None:
    """The decision that refused; without one the last that was made; None where there is none."""
    decisions = event["decisions"]
    refused = [one for one in decisions if one["decision"] != "Allowed"]
    chosen = refused[:1] or decisions[-1:]
    return chosen[0] if chosen else None


def _beside(event: Event, decision: Mapping[str, Any] | None) -> str:
    if is_refused(event):
        return _BESIDE_POLICIES[decision is not None]
    if decision is not None:
        return f"It was allowed: {decision['reason']}."
    return "Nothing had to be decided." if not event.get("errorCode") else "It never came so far."


def _is_no_role(decision: Mapping[str, Any]) -> bool:
    trusts = [one for one in decision["layers"] if one["layer"] == "role trust policy"]
    is_assuming = decision["action"].lower().startswith("sts:assumerole")
    return is_assuming and not any(one["policies"] for one in trusts)


def _denial(event: Event, decision: Mapping[str, Any]) -> dict[str, Any]:
    situation = Situation.of(decision)
    if situation is None:
        return _explanation(event, decision, _sentence(decision), [])
    found = plan(situation)
    changes = [
        {"layer": advice.layer, "options": [_option(one) for one in advice.options]}
        for advice in found.advice
    ]
    return {
        **_explanation(event, decision, _sentence(decision), changes),
        "complete": found.complete,
    }


def _sentence(decision: Mapping[str, Any]) -> str:
    """The reason in AWS's words, and how many sides refuse if that is more than one."""
    blocking = [one["layer"] for one in decision["layers"] if one["blocks"]]
    reason = decision["reason"]
    sentence = f"Denied {reason}." if reason.startswith("with ") else f"Denied: {reason}."
    kinds = list(dict.fromkeys(blocking))
    if len(kinds) > 1:
        sentence += f" These refuse: {', '.join(kinds)}; each has to be changed."
    return sentence


def _explanation(
    event: Event, decision: Mapping[str, Any] | None, why: str, changes: list[dict[str, Any]]
) -> dict[str, Any]:
    told = {name: value for name, value in event.items() if name != "decisions"}
    kept = {key: value for key, value in (decision or {}).items() if key != "policies"}
    return {
        "request": told,
        "decision": kept or None,
        "why": why,
        "changes": changes,
        "complete": None,
    }


def _option(option: Option) -> dict[str, Any]:
    return {"what": option.what, "statement": option.statement, "command": option.command}


def _told(what: str) -> dict[str, Any]:
    return {"what": what, "statement": None, "command": ""}
