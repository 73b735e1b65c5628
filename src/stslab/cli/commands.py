"""The table of commands: where each is, and what it does in a line."""

from stslab.cli.lazy import Entry

COMMANDS = {
    "run": Entry("stslab.cli.run.run:command", "Walk through a lab, or go on where it stopped."),
    "step": Entry("stslab.cli.run.step:command", "Do one stage of the current run."),
    "check": Entry("stslab.cli.run.check:command", "Try what the run has proved so far, again."),
    "access": Entry("stslab.cli.run.access:command", "Show who can do what in the current run."),
    "cleanup": Entry("stslab.cli.run.cleanup:command", "Take everything back, and prove it."),
    "status": Entry("stslab.cli.run.status:command", "Show where runs stand."),
    "report": Entry("stslab.cli.run.report:command", "Tell what a run did, with its proofs."),
    "doctor": Entry(
        "stslab.cli.tools.doctor:command", "Look at what stslab needs, and how to fix it."
    ),
    "labs": Entry("stslab.cli.labs.labs:command", "List the labs."),
    "show": Entry(
        "stslab.cli.labs.show:command", "Show a lab as a table, Markdown or a shell script."
    ),
    "lint": Entry("stslab.cli.labs.lint:command", "Find what is wrong in a lab file."),
    "test": Entry(
        "stslab.cli.labs.testing:command", "Run labs alone, and prove they leave nothing."
    ),
    "env": Entry("stslab.cli.account.env:command", "Print what points the aws CLI at the account."),
    "shell": Entry(
        "stslab.cli.account.shell:command", "Open a shell in which the aws CLI is set up."
    ),
    "sandbox": Entry(
        "stslab.cli.account.sandbox:command", "The embedded account: start, stop, log, clock, ..."
    ),
    "why": Entry("stslab.cli.tools.why:command", "Explain a refusal, or AWS's error message."),
    "simulate": Entry(
        "stslab.cli.tools.simulate:command", "Evaluate policies offline, and explain."
    ),
    "completion": Entry(
        "stslab.cli.tools.completion:command", "Print a shell's completion script."
    ),
}
