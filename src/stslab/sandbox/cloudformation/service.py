"""CloudFormation as the sandbox has it: a small stack engine of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api import constraints
from stslab.sandbox.api.model import ApiRequest, KeyStore
from stslab.sandbox.cloudformation.operations.change_sets import ChangeSetOperations
from stslab.sandbox.cloudformation.operations.reading import ReadOperations
from stslab.sandbox.cloudformation.operations.requests import Desk
from stslab.sandbox.cloudformation.operations.stacks import StackOperations
from stslab.sandbox.cloudformation.operations.templates import TemplateOperations
from stslab.sandbox.cloudformation.stacks.engine import Engine, Surroundings
from stslab.sandbox.cloudformation.stacks.ground import WorldGround
from stslab.sandbox.cloudformation.stacks.state import Stacks
from stslab.sandbox.saved.account import StackFacts, World

Handler = Callable[[ApiRequest], Mapping[str, Any]]


STEP_SECONDS = 0.02


def part_of(
    world: World, keys: KeyStore, save: Callable[[], None], step_seconds: float = STEP_SECONDS
) -> CloudFormation:
    """The service of a world, whose stacks are a part of what the world saves.

    ``save`` is called with the world's write lock held, whenever a stack changed.
    """
    around = Surroundings(
        call=world.call,
        keys=keys,
        ground=lambda account_id: WorldGround(world, account_id),
        now=world.now,
        lock=world.write_lock,
        save=save,
    )
    stacks = world.part("cloudformation", Stacks)

    def facts(request: ApiRequest) -> StackFacts | None:
        found = stacks.addressed(request.account, request.region, request.params)
        return None if found is None else StackFacts(found.stack_id, found.config.tags)

    world.find_stacks_with(facts)
    return CloudFormation(stacks, around, step_seconds)


class CloudFormation:
    """The service: ``handlers`` by operation, and the engine behind them.

    ``step_seconds`` says how slow resources are. Call :meth:`resume` once the account can
    be called, and :meth:`stop` before the process ends.
    """

    def __init__(
        self, stacks: Stacks, around: Surroundings, step_seconds: float = STEP_SECONDS
    ) -> None:
        self.engine = Engine(stacks, around, step_seconds)
        desk = Desk(stacks, self.engine)
        operations = StackOperations(desk)
        handlers: Mapping[str, Handler] = {
            **operations.handlers(),
            **ReadOperations(desk).handlers(),
            **TemplateOperations(desk).handlers(),
            **ChangeSetOperations(desk, operations).handlers(),
        }
        self.handlers: Mapping[str, Handler] = {
            name: _checked(handler) for name, handler in handlers.items()
        }

    def resume(self) -> None:
        """Go on with the stacks that an earlier process left in the middle of something."""
        self.engine.resume()

    def stop(self) -> None:
        """Leave all stacks where they are."""
        self.engine.stop()


def _checked(handler: Handler) -> Handler:
    """The handler, called only with parameters that the operation takes."""

    def call(request: ApiRequest) -> Mapping[str, Any]:
        constraints.check(request.service, request.operation, request.params)
        return handler(request)

    return call
