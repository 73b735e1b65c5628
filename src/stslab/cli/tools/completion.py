"""``stslab completion``: what a shell needs to complete stslab's commands."""

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, flags, labs, stages and run ids.

    For bash and zsh the line of the example goes into ~/.bashrc or ~/.zshrc.
    """
    from click.shell_completion import get_completion_class

    from stslab.cli.main import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(cli, {}, "stslab", "_STSLAB_COMPLETE").source())
