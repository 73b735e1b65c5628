"""The rows about creating calls match AWS's own models."""

import re
from typing import Any

import pytest
from botocore.model import ServiceModel

from stslab.aws.catalogue import BotocoreCatalogue, loader
from stslab.kinds.table import CREATIONS, EFFECTS, KINDS, Effect
from stslab.lab.listing import headers
from stslab.lab.loader import load
from stslab.resources import bundled

_FIRST = re.compile(r"[A-Za-z]+")


def operation(call: str) -> Any:
    service, _, name = call.partition(" ")[0].partition(".")
    model = ServiceModel(loader().load_service_model(service, "service-2"))
    return model.operation_model(name)


@pytest.mark.parametrize("call", [one for one in EFFECTS if not one.startswith("embedded.")])
def test_a_rows_parameters_and_responses_exist(call: str) -> None:
    effect = EFFECTS[call]
    kind = KINDS[effect.kind]
    taken = operation(call).input_shape
    assert set(effect.shows) <= (set(taken.members) if taken else set())
    looked = operation(f"{kind.service}.{kind.look}")
    answered = set(looked.output_shape.members) if looked.output_shape else set()
    if effect.more:
        more = operation(f"{kind.service}.{effect.more[0]}")
        assert set(effect.more[1]) <= set(more.input_shape.members)
        answered |= set(more.output_shape.members)
    for place in (*effect.shows.values(), *filter(None, [effect.made])):
        first = _FIRST.match(place)
        assert first, place
        assert first[0] in answered, place


@pytest.mark.parametrize(
    ("effect", "service"),
    [(one, KINDS[one.kind].service) for one in EFFECTS.values() if one.put_back],
)
def test_the_operation_that_restores_a_document_takes_it(effect: Effect, service: str) -> None:
    assert effect.put_back
    name, params = effect.put_back
    members = operation(f"{service}.{name}").input_shape.members
    assert {*params, *KINDS[effect.kind].names} <= set(members)


@pytest.mark.parametrize("name", [one.path.stem for one in headers()])
def test_what_a_bundled_lab_undoes_has_a_name(name: str) -> None:
    """Else cleanup names the step, and looks up nothing."""
    lab = load(bundled() / "lab" / f"{name}.yaml", catalogue=BotocoreCatalogue())
    undone = {step.call for step in lab.steps if step.undo}
    assert undone <= CREATIONS.keys()
