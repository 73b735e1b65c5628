"""The question before a check, and its answer."""

from functools import partial

from msgspec.structs import replace

from stslab.cli.run.prompt import AtPrompt
from stslab.lab.model import Check, Stage
from stslab.lesson import access, evidence, questions
from stslab.lesson.verdict import Verdict, expected
from stslab.render.lesson import scenes
from stslab.render.lesson.screen import Heard
from stslab.runner.ports import Call


class Asks(AtPrompt):
    """A learner who predicts AWS's answers, unless not to ``predict``."""

    predict: bool
    heard: Heard

    def to_be_asked(self, stage: Stage, first: int) -> frozenset[access.Key]:
        return questions.to_come(self.lab, stage, first) if self.predict else frozenset()

    def _callers(self, call: Call) -> dict[str, Verdict]:
        """The verdicts for both profiles that could be the caller, if they differ; else nothing."""
        profile = self.lab.profiles.get(call.identity)
        if profile is None or not profile.environment:
            return {}
        verdicts = {
            name: self.decide(name, call.service, call.operation, call.params)
            for name in profile.sources
        }
        return verdicts if len({met.allowed for met in verdicts.values()}) > 1 else {}

    def asking(self, stage: Stage, at: int, check: Check) -> scenes.Asking | None:
        """The question before a check; None if there is none, or it was answered before."""
        if check.ask is None or not check.call:
            return None
        call = evidence.call_of(check, self.runner.scope())
        found = self.decide(call.identity, call.service, call.operation, call.params)
        self.verdict = expected(check) if found.allowed is None else found
        past = self.runner.past
        answered = {(one.stage, one.number) for one in past.predictions()}
        if (stage.id, at) in answered and stage.id not in past.held():  # it was left half done
            return None
        target, callers = questions.target(check), self._callers(call)
        same = (name for name, met in callers.items() if met == self.verdict)
        who = next(same, questions.caller(check))
        if who in callers:
            question: questions.Question | None = questions.whose(callers, who, target)
        else:
            question = questions.question(self.verdict, who, target, check, self.lab)
            callers = {who: self.verdict}
        if question is None:
            return None
        every = [each for each in self.lab.checks if each.ask is not None]
        number = next(count for count, each in enumerate(every, 1) if each is check)
        names = self.here.names()
        return scenes.Asking(
            title=questions.asked(self.lab, check),
            who=who,
            command=self.here.command(call),
            question=question,
            claims=evidence.claims_of(call),
            evidence={
                name: replace(met, documents=evidence.renamed(met.documents, names))
                for name, met in callers.items()
            },
            target=target,
            place=f"question {number} of {len(every)}",
            before=self.heard.take(),
        )

    def answer(self, asking: scenes.Asking) -> int | None:
        """The digit of the learner's answer; None if they skip the question."""
        if not self.predict:
            return None
        self.line = asking.command
        digits = [questions.UNSURE, *(choice.digit for choice in asking.question.choices)]
        self.show(asking)
        back = ""
        while True:
            entered = self.read(partial(self.prompt.digit, digits, back))
            if entered.word == "skip":
                return None
            if entered.line:
                return int(entered.line)
            back = "" if self.word(entered.word, asking) else " (`back` shows the question)"
