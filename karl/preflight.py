"""What can be known to be wrong before a run starts: one message at once instead of a failed run an hour later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karl.endpoints import check_judge, check_vllm
from karl.held_out import read_questions
from karl.run_config import RunConfig
from karl.settings import Settings
from store.errors import UsageError

if TYPE_CHECKING:
    from graphs.schema import GraphSpec

SOLVER = "solver"  # the graph of the rollouts that are trained on
GRAPHS = (SOLVER, "qa_generator", "dedup", "quality_filter")


def check_run(config: RunConfig, *, settings: Settings) -> None:
    """Base, recipe, questions, graphs, prompts, endpoints. Raises: UsageError or KarlError; writes nothing."""
    from agents.policy import load_profile
    from rl_backend.checkpoint import check_model_folder
    from rl_backend.config import load_recipe

    if settings.engine != "local" and config.iterations > 1:
        raise UsageError(
            f"engine {settings.engine!r} serves one fixed checkpoint: run with --iterations 1, serve the new one, "
            "and run again with --base on it"
        )
    check_model_folder(config.base)
    load_recipe(config.recipe, algorithm="oapl", seed=config.seed)
    if config.sft_control:
        load_recipe(config.sft_recipe, algorithm="sft", seed=config.seed)
    if config.questions is not None:
        read_questions(config.questions)
    check_graphs(config, settings=settings)
    if settings.engine == "vllm":
        check_vllm(settings, model=str(config.base), context_tokens=load_profile(config.base).context_tokens)
    if settings.judge is not None:
        check_judge(settings.judge)


def check_graphs(config: RunConfig, *, settings: Settings) -> None:
    """Every graph of a run with the prompts that it names, and how the solver samples. Raises: UsageError."""
    from agents.policy import load_profile
    from graphs.prompting import load_prompts
    from graphs.schema import load_spec

    variant = load_profile(config.base).prompt_variant
    for name in GRAPHS:
        spec = load_spec(name, variant=variant, path=settings.graph_path)
        load_prompts(spec, variant=variant, path=settings.prompt_path)
        if name == SOLVER:
            check_sampling(spec, variant=variant)


def check_sampling(spec: GraphSpec, *, variant: str) -> None:
    """Raises: UsageError unless the graph that makes training rollouts samples the raw model.

    The log-probs of a rollout are those of temperature 1 over the whole vocabulary: the loss takes them for the
    policy that sampled (OAPL's reference), which another temperature or a cut tail would make untrue.
    """
    for key in ("temperature", "top_p"):
        value = getattr(spec.sampling, key)
        if value != 1.0:
            place = f"sampling or overrides.{variant}.sampling" if variant else "sampling"
            raise UsageError(
                f"graph {spec.name!r}: key 'sampling.{key}' is {value:g}, but rollouts to train on must be sampled at "
                f"temperature 1 and top_p 1, as their log-probs are; set {key}: 1.0 under {place} in your "
                f"{spec.name}.yaml (evaluations and `karl ask` choose their own temperature)"
            )
