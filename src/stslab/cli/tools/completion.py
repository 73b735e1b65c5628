"""``stslab completion``: what a shell needs to complete stslab's commands."""

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, flags, labs, stages and run ids.

    For bash and zsh the line of the example goes into ~/.bashrc or ~/.zshrc.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(ctx.find_root().command, {}, "stslab", "_STSLAB_COMPLETE").source())
