"""``stslab completion``: what a shell needs to complete stslab's commands."""

import click

_HOW = {
    "bash": 'eval "$(stslab completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(stslab completion zsh)"  in ~/.zshrc',
    "fish": "stslab completion fish > ~/.config/fish/completions/stslab.fish",
}


@click.command("completion", epilog="\b\n" + "\n".join(_HOW.values()))
@click.argument("shell", type=click.Choice(tuple(_HOW)))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, flags, labs and stages."""
    from click.shell_completion import get_completion_class

    from stslab.cli.main import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click knows no completion for {shell}.")
    click.echo(found(cli, {}, "stslab", "_STSLAB_COMPLETE").source())
