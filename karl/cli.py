"""The command line. Commands live in `karl.commands`, loaded only when called: `karl --help` is instant."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from store.errors import KarlError

# name -> (module:function, one line of help); the help stands here so that `karl --help` loads nothing else
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init:init", "Write a project folder: settings, graphs and prompts to edit."),
    "demo": ("demo:demo", "Generate two companies' notes and run the whole loop on them."),
    "ingest": ("ingest:ingest", "Read a folder of documents into a corpus."),
    "search": ("search:search", "Search a corpus: ranked chunks with ids and scores."),
    "run": ("run:run", "Synthesise, solve, filter, train and evaluate; resumes where it stopped."),
    "train": ("train:train", "Train on a frozen dataset, in one process or many."),
    "ask": ("ask:ask", "Ask a corpus a question; the newest checkpoint answers and cites."),
    "arena": ("arena:arena", "Ask several systems side by side, vote, keep score."),
    "graph": ("graph:graph", "List, draw, check and compare agent graphs."),
    "prompt": ("prompt:prompt", "List, render, check and compare prompts."),
    "mcp": ("mcp:mcp", "Serve search and answers to MCP clients."),
    "runs": ("runs:runs", "List runs."),
    "show": ("show:show", "Show one run: funnel, training, evaluation."),
    "eval": ("eval:evaluate", "Measure systems on tasks: FogBench, KARLBench, your own questions."),
    "report": ("report:report", "Report evaluations: Markdown, and one HTML page."),
    "leaderboard": ("leaderboard:leaderboard", "Check, collect and rank evaluations of several people."),
    "behaviour": ("behaviour:behaviour", "Show how a run's policies searched: classes, lengths, recall."),
    "value": ("value:value", "Train the value model that guides a search."),
    "tui": ("tui:tui", "Launch, watch, read, edit and ask in the terminal; `karl` alone opens it too."),
    "doctor": ("doctor:doctor", "Say what is installed, what is missing, and the mend."),
    "db": ("db:db", "Look after the store."),
    "tiny": ("tiny:tiny", "Make the embedded policy and generated companies."),
    "fogbench": ("fogbench:fogbench", "Generate companies and questions with proved answers."),
    "judge": ("judge:judge", "Compare the judgements of answers."),
    "bench": ("bench:bench", "Measure, as JSON."),
    "bench-data": ("bench_data:bench_data", "Fetch and check the data of KARLBench."),
}


class LazyGroup(click.Group):
    """Finds commands by name and imports them only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(f"karl.commands.{module}"), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.option("--home", type=click.Path(), envvar="KARL_HOME", help="Data folder; default: .karl here.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="karl-agents")
@click.pass_context
def karl(context: click.Context, home: str | None, debug: bool) -> None:
    """Search agents that train themselves on your documents."""
    context.obj = {"home": home, "debug": debug}
    if context.invoked_subcommand is None:
        _alone(context)


def _alone(context: click.Context) -> None:
    """`karl` and nothing else: the interface where there is a terminal, the help elsewhere."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help())
        return
    from karl.commands.tui import tui

    context.invoke(tui)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: user errors become one line and an exit code; tracebacks only with --debug."""
    # transformers and tokenizers print to stderr otherwise; progress is ours to draw.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # Idle OpenMP threads sleep instead of spinning: on few cores the event loop and the engine need them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code: Any = karl.main(args=arguments, prog_name="karl", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.Abort as exc:
        if isinstance(exc.__cause__, EOFError):  # click takes it for the end of what is typed
            _explain(exc.__cause__, arguments, unexpected=True)
            sys.exit(1)
        click.echo("stopped", err=True)
        sys.exit(130)
    except KarlError as exc:
        _explain(exc, arguments)
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as exc:
        _explain(exc, arguments, unexpected=True)
        sys.exit(1)


def _explain(exc: Exception, arguments: list[str], *, unexpected: bool = False) -> None:
    if "--debug" in arguments:
        import traceback

        traceback.print_exception(exc)
    hint = "\nnot a mistake of yours that karl knows of: `karl --debug ...` shows the traceback" if unexpected else ""
    name = f"{type(exc).__name__}: " if unexpected else ""
    click.echo(f"karl: {name}{exc}{hint}", err=True)
