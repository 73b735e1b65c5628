"""The table of commands: where each is, and what it does in a line."""

from stslab.cli.lazy import Entry

COMMANDS = {
    "run": Entry("stslab.cli.run.run:command", "Walk through a lab, or go on where it stopped."),
    "step": Entry("stslab.cli.run.step:command", "Do one stage of the current run."),
    "check": Entry("stslab.cli.run.check:command", "Try what the run has proved so far, again."),
    "break": Entry(
        "stslab.cli.run.break_:command", "Find a fault in a working set-up, and fix it."
    ),
    "access": Entry("stslab.cli.run.tasks:access", "Show who can do what in the current run."),
    "hint": Entry("stslab.cli.run.tasks:hint", "Say a little more about the next task."),
    "solve": Entry("stslab.cli.run.tasks:solve", "Do the next task, as the lab would."),
    "watch": Entry(
        "stslab.cli.account.watch:command", "Follow a run and its requests in a second terminal."
    ),
    "cleanup": Entry("stslab.cli.run.cleanup:command", "Undo everything, and prove it."),
    "status": Entry("stslab.cli.run.status:command", "Show where runs stand."),
    "report": Entry("stslab.cli.tools.report:command", "Tell what a run did, with its proofs."),
    "doctor": Entry(
        "stslab.cli.tools.doctor:command",
        "Check what stslab needs; each problem comes with its fix.",
    ),
    "labs": Entry("stslab.cli.labs.labs:command", "List the labs."),
    "show": Entry(
        "stslab.cli.labs.show:command", "Show a lab as a table, Markdown or a shell script."
    ),
    "new": Entry("stslab.cli.labs.new:command", "Make a lab of your own, green at once."),
    "lint": Entry("stslab.cli.labs.lint:command", "Find what is wrong in a lab file."),
    "test": Entry(
        "stslab.cli.labs.testing:command",
        "Run labs in an account of their own, and prove that they leave nothing.",
    ),
    "env": Entry(
        "stslab.cli.account.env:command",
        "Print the variables that point the aws CLI at the account.",
    ),
    "shell": Entry(
        "stslab.cli.account.shell:command", "Open a shell in which the aws CLI is set up."
    ),
    "sandbox": Entry(
        "stslab.cli.account.sandbox:command", "Start, stop, look at or reset the embedded account."
    ),
    "why": Entry("stslab.cli.tools.why:command", "Explain a refusal, or AWS's error message."),
    "simulate": Entry(
        "stslab.cli.tools.simulate:command", "Evaluate policies offline, and explain the decision."
    ),
    "completion": Entry(
        "stslab.cli.tools.completion:command", "Print a shell's completion script."
    ),
    "help": Entry(
        "stslab.cli.tools.help:command", "Show a page about a topic, or a command's help."
    ),
}

SANDBOX = {
    "start": Entry("stslab.cli.account.sandbox:start", "Start it, if it does not run yet."),
    "stop": Entry(
        "stslab.cli.account.sandbox:stop", "Stop it. Its account is kept for the next start."
    ),
    "reset": Entry(
        "stslab.cli.account.sandbox:reset", "Delete the account, and begin with a new one."
    ),
    "status": Entry(
        "stslab.cli.account.sandbox:status", "Show whether it runs, where, and since when."
    ),
    "log": Entry("stslab.cli.account.log:command", "Show every request, and how it was decided."),
    "clock": Entry("stslab.cli.account.clock:command", "Show the account's clock, or move it."),
    "export": Entry(
        "stslab.cli.account.exchange:export_command", "Write the whole account to a file."
    ),
    "import": Entry(
        "stslab.cli.account.exchange:import_command", "Replace the account with the one in a file."
    ),
    "issuer": Entry(
        "stslab.cli.account.lending:issuer_command",
        "Show an OIDC issuer, its keys and certificates.",
    ),
    "token": Entry(
        "stslab.cli.account.lending:token_command",
        "Print an OIDC token for AssumeRoleWithWebIdentity.",
    ),
    "mfa": Entry(
        "stslab.cli.account.lending:mfa_command", "Print the codes of a virtual MFA device."
    ),
    "saml": Entry("stslab.cli.account.lending:saml_group", "A SAML identity provider."),
}

SAML = {
    "metadata": Entry(
        "stslab.cli.account.lending:metadata_command", "Print the provider's metadata document."
    ),
    "assertion": Entry(
        "stslab.cli.account.lending:assertion_command",
        "Print a signed response for AssumeRoleWithSAML.",
    ),
}

REPORT = {
    "of": Entry("stslab.cli.tools.report:about", ""),
    "verify": Entry(
        "stslab.cli.tools.report:verify", "Say what can be known of a report, and what can't."
    ),
    "merge": Entry("stslab.cli.tools.report:merge", "Merge the reports of a class into one table."),
}
