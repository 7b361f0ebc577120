"""What can be known to be wrong before a run starts: one message at once instead of a failed run an hour later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karl.endpoints import check_chat, check_judge, check_vllm
from karl.held_out import read_questions
from karl.policies import profile_of
from karl.run_config import RunConfig
from karl.settings import Settings
from store.errors import UsageError

if TYPE_CHECKING:
    from graphs.schema import GraphSpec


def check_run(config: RunConfig, *, settings: Settings) -> None:
    """Base, recipe, questions, graphs, prompts, endpoints. Raises: UsageError or KarlError; writes nothing."""
    from rl_backend.checkpoint import check_model_folder
    from rl_backend.config import load_recipe

    check_iterations(config, settings=settings)
    check_model_folder(config.base)
    load_recipe(config.recipe, algorithm=config.algorithm, seed=config.seed)
    if config.sft_control:
        load_recipe(config.sft_recipe, algorithm="sft", seed=config.seed)
    if config.questions is not None:
        read_questions(config.questions)
    check_graphs(config, settings=settings)
    if settings.engine == "vllm":
        room = profile_of(config.base, settings=settings).context_tokens
        check_vllm(settings, model=str(config.base), context_tokens=room)
    if settings.engine == "chat":
        assert settings.chat is not None  # the settings were checked
        check_chat(settings.chat)
    if settings.judge is not None:
        check_judge(settings.judge)


def check_iterations(config: RunConfig, *, settings: Settings) -> None:
    """Raises: UsageError for several of them where no second policy could sample."""
    if settings.engine != "local" and config.iterations > 1:
        raise UsageError(
            f"engine {settings.engine!r} serves one fixed checkpoint: run with --iterations 1, serve the new one, "
            "and run again with --base on it"
        )


def check_graphs(config: RunConfig, *, settings: Settings) -> None:
    """Every graph of a run with the prompts that it names, how the solver samples, the run's tasks.

    Raises: UsageError.
    """
    from graphs.iteration import graph_of
    from graphs.library import Library
    from graphs.occasions import check_tasks
    from graphs.schema.stage import STAGE_GRAPHS

    variant = profile_of(config.base, settings=settings).prompt_variant
    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path, tasks=config.tasks)
    iteration = library.get("iteration", variant=variant).spec
    if settings.engine == "chat":
        _check_untrained(iteration)
    for stage in STAGE_GRAPHS:  # held-out questions take all of these, whatever stages the iteration has
        library.get(graph_of(iteration, stage), variant=variant)
    check_tasks(config.tasks, library.specs, prompt_path=settings.prompt_path)


def _check_untrained(iteration: GraphSpec) -> None:
    """Raises: UsageError for stages that train on what a chat endpoint wrote."""
    from graphs.iteration import stages

    trains = next((node for node in stages(iteration) if node.stage in ("snapshot", "train")), None)
    if trains is not None:
        raise UsageError(
            "engine 'chat': the tokens of a chat endpoint's rollouts are unknown, so nothing can be trained on them, "
            f"and the iteration has the stage '{trains.stage}'. To synthesise, solve and filter questions, write an "
            "iteration.yaml of your own: {extends: iteration, nodes: {snapshot: null, train: null, evaluate: null}, "
            "edges: {check_quality: end}}; or set engine = local or vllm"
        )
