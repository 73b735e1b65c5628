"""``stslab show``: a lab, without running it."""

import sys

import click

from stslab.cli.names import complete_lab


@click.command("show")
@click.argument("lab", default="assume-role", shell_complete=complete_lab)
@click.option(
    "--table", "way", flag_value="table", default="table", help="As a table (the default)."
)
@click.option("--markdown", "way", flag_value="markdown", help="As a page of Markdown.")
@click.option("--shell", "way", flag_value="shell", help="As a script of aws commands.")
def command(*, lab: str, way: str) -> None:
    """Show LAB (an id or a file) as a table, as Markdown, or as a script of aws commands."""
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.lab.loader import load
    from stslab.lab.reading.listing import find

    loaded = load(find(lab), catalogue=BotocoreCatalogue())
    if way == "shell":
        from stslab.aws.command import aws_command
        from stslab.cli.describing import with_keys
        from stslab.render.script import script_of

        click.echo(script_of(loaded, with_keys(loaded, aws_command)), nl=False)
    elif way == "markdown":
        from stslab.render.lab import markdown_of
        from stslab.render.text.safe import visible

        click.echo(visible(markdown_of(loaded)), nl=False)
    else:
        from stslab.render.lab import show_table
        from stslab.render.terminal.console import make_console

        show_table(make_console(sys.stdout), loaded, lab)
