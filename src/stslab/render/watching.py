"""Draws where a run stands, for who follows it in a second terminal."""

from rich.console import Console
from rich.text import Text

from stslab.lesson.following import Identity, Status
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import spoken
from stslab.render.text.safe import one_line


def drawn(console: Console, status: Status) -> Text:
    """A few lines, none of them wider than the console."""
    symbols, now = Paper(console).symbols, status.now
    lines = [Text("─" * console.width, style="dim")]
    if now is None and status.running:
        lines.append(Text("No run goes on. Begin one: stslab run", style="dim"))
    if now is not None:
        where = f"{now.lab}, {now.how}" if now.how else now.lab
        lines.append(Text(f"{where}   {now.number}/{now.of}  {one_line(now.title)}", style="bold"))
        for text, done in now.tasks:
            sign, style = (symbols.done, "green") if done else (symbols.pending, "")
            lines.append(Text(f"  {sign} {one_line(text)}", style=style))
        lines += [Text(f"  {symbols.failed} {one_line(one)}", style="red") for one in now.missing]
    lines.append(Text("   ".join(_lasting(status, one) for one in status.identities)))
    for line in lines:
        line.truncate(console.width, overflow="ellipsis")
    return Text("\n").join(lines)


def _lasting(status: Status, one: Identity) -> str:
    seconds = status.left(one)
    if seconds is None:
        return one_line(one.name)
    return one_line(f"{one.name} ({f'{spoken(seconds)} left' if seconds > 0 else 'ended'})")
