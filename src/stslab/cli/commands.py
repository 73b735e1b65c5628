"""The table of commands: where each is, what it does in a line, and examples of its use."""

from stslab.cli.lazy import Entry

COMMANDS = {
    "run": Entry(
        "stslab.cli.run.run:command",
        "Walk through a lab, or go on where it stopped.",
        ("stslab run", "stslab run --yes --to verify-access", "stslab run --from 3 --dry-run"),
    ),
    "step": Entry(
        "stslab.cli.run.step:command",
        "Do one stage of the current run.",
        ("stslab step create-user", "stslab step 4 --with-needed"),
    ),
    "check": Entry(
        "stslab.cli.run.check:command",
        "Try what the run has proved so far, again.",
        ("stslab check", "stslab check 3", "stslab check --all --json"),
    ),
    "access": Entry(
        "stslab.cli.run.access:command",
        "Show who can do what in the current run.",
        ("stslab access", "stslab access --json"),
    ),
    "cleanup": Entry(
        "stslab.cli.run.cleanup:command",
        "Undo everything, and prove it.",
        (
            "stslab cleanup",
            "stslab cleanup --dry-run",
            "stslab cleanup --all --target aws",
            "stslab cleanup --sweep --dry-run --target aws",
        ),
    ),
    "status": Entry(
        "stslab.cli.run.status:command",
        "Show where runs stand.",
        ("stslab status", "stslab status --all --json"),
    ),
    "report": Entry(
        "stslab.cli.tools.report:command",
        "Tell what a run did, with its proofs.",
        (
            "stslab report",
            "stslab report --html report.html",
            "stslab report --learner Ana --json > report.json",
            "stslab report verify report.json",
        ),
    ),
    "doctor": Entry(
        "stslab.cli.tools.doctor:command",
        "Check what stslab needs; each problem comes with its fix.",
        ("stslab doctor", "stslab doctor --target aws --profile my-sandbox"),
    ),
    "labs": Entry("stslab.cli.labs.labs:command", "List the labs.", ("stslab labs",)),
    "show": Entry(
        "stslab.cli.labs.show:command",
        "Show a lab as a table, Markdown or a shell script.",
        ("stslab show", "stslab show assume-role --shell > lab.sh"),
    ),
    "lint": Entry(
        "stslab.cli.labs.lint:command",
        "Find what is wrong in a lab file.",
        ("stslab lint my-lab.yaml", "stslab lint --json lab/*.yaml"),
    ),
    "test": Entry(
        "stslab.cli.labs.testing:command",
        "Run labs in an account of their own, and prove that they leave nothing.",
        ("stslab test my-lab.yaml", "stslab test my-lab.yaml --rehearse"),
    ),
    "env": Entry(
        "stslab.cli.account.env:command",
        "Print the variables that point the aws CLI at the account.",
        ('eval "$(stslab env)"', "stslab env --as partner --shell fish", "stslab env --unset"),
    ),
    "shell": Entry(
        "stslab.cli.account.shell:command",
        "Open a shell in which the aws CLI is set up.",
        ("stslab shell", "stslab shell --as sts"),
    ),
    "sandbox": Entry(
        "stslab.cli.account.sandbox:command", "The embedded account: start, stop, log, clock, ..."
    ),
    "why": Entry(
        "stslab.cli.tools.why:command",
        "Explain a refusal, or AWS's error message.",
        (
            "stslab why",
            "stslab why 4d6919c9",
            'stslab why "User: arn:aws:iam::123456789012:user/x is not authorized to ..."',
            "terraform apply 2>&1 | stslab why -",
            "stslab why event.json --json",
        ),
    ),
    "simulate": Entry(
        "stslab.cli.tools.simulate:command",
        "Evaluate policies offline, and explain the decision.",
        (
            "stslab simulate --principal arn:aws:iam::111122223333:user/ana \\",
            "    --action s3:GetObject --resource arn:aws:s3:::photos/1 --policy ana.json",
            "stslab simulate --cases cases.jsonl",
        ),
    ),
    "completion": Entry(
        "stslab.cli.tools.completion:command",
        "Print a shell's completion script.",
        (
            'eval "$(stslab completion bash)"',
            'eval "$(stslab completion zsh)"',
            "stslab completion fish > ~/.config/fish/completions/stslab.fish",
        ),
    ),
    "help": Entry(
        "stslab.cli.tools.help:command",
        "Show a page about a topic, or a command's help.",
        ("stslab help", "stslab help lesson", "stslab help exit-codes", "stslab help run"),
    ),
}

SANDBOX = {
    "start": Entry(
        "stslab.cli.account.sandbox:start",
        "Start it, if it does not run yet.",
        ("stslab sandbox start", "stslab sandbox start --rehearse=seed=7,policies=4s"),
    ),
    "stop": Entry(
        "stslab.cli.account.sandbox:stop",
        "Stop it. Its account is kept for the next start.",
        ("stslab sandbox stop",),
    ),
    "reset": Entry(
        "stslab.cli.account.sandbox:reset",
        "Delete the account, and begin with a new one.",
        ("stslab sandbox reset", "stslab sandbox --name class reset --yes"),
    ),
    "status": Entry(
        "stslab.cli.account.sandbox:status",
        "Show whether it runs, where, and since when.",
        ("stslab sandbox status", "stslab sandbox status --json"),
    ),
    "log": Entry(
        "stslab.cli.account.log:command",
        "Show every request, and how it was decided.",
        ("stslab sandbox log --denied", "stslab sandbox log --follow --json"),
    ),
    "clock": Entry(
        "stslab.cli.account.clock:command",
        "Show the account's clock, or move it.",
        ("stslab sandbox clock +2h", "stslab sandbox clock -30m", "stslab sandbox clock real"),
    ),
    "export": Entry(
        "stslab.cli.account.exchange:export_command",
        "Write the whole account to a file.",
        ("stslab sandbox export lab.account",),
    ),
    "import": Entry(
        "stslab.cli.account.exchange:import_command",
        "Replace the account with the one in a file.",
        ("stslab sandbox import lab.account",),
    ),
    "issuer": Entry(
        "stslab.cli.account.lending:issuer_command",
        "Show an OIDC issuer, its keys and certificates.",
        (
            "stslab sandbox issuer",
            "stslab sandbox issuer https://oidc.example.test --certificate new-ca",
        ),
    ),
    "token": Entry(
        "stslab.cli.account.lending:token_command",
        "Print an OIDC token for AssumeRoleWithWebIdentity.",
        ("stslab sandbox token --sub me --aud app",),
    ),
    "mfa": Entry(
        "stslab.cli.account.lending:mfa_command",
        "Print the codes of a virtual MFA device.",
        ("stslab sandbox mfa phone",),
    ),
    "saml": Entry("stslab.cli.account.lending:saml_group", "A SAML identity provider."),
}

SAML = {
    "metadata": Entry(
        "stslab.cli.account.lending:metadata_command",
        "Print the provider's metadata document.",
        ("stslab sandbox saml metadata > metadata.xml",),
    ),
    "assertion": Entry(
        "stslab.cli.account.lending:assertion_command",
        "Print a signed response for AssumeRoleWithSAML.",
        ("stslab sandbox saml assertion --role web --provider corp --name ana > response",),
    ),
}

REPORT = {
    "of": Entry("stslab.cli.tools.report:about", ""),
    "verify": Entry(
        "stslab.cli.tools.report:verify",
        "Say what can be known of a report, and what can't.",
        ("stslab report verify report.json", "stslab report verify - < report.json"),
    ),
    "merge": Entry(
        "stslab.cli.tools.report:merge",
        "Merge the reports of a class into one table.",
        (
            "stslab report merge ana.json ben.json --csv > class.csv",
            "stslab report merge ana.json ben.json --html > class.html",
        ),
    ),
}
