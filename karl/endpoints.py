"""Are the servers of the settings there? Asked once before work starts: one message stands for every failure."""

from __future__ import annotations

from typing import Any

from agents.llm_judge import JudgeSettings
from store.errors import KarlError

SECONDS = 5.0  # a server that needs longer to list its models will not judge thousands of rollouts either


def check_vllm(url: str, *, model: str) -> None:
    """Raises: KarlError when nothing answers at `url`, or when it serves another model."""
    served = _served(url, api_key="", what="vLLM endpoint", mend="start it, or correct vllm_url in karl.toml")
    if served is not None and model not in served:
        raise KarlError(
            f"vLLM endpoint {url}: serves {', '.join(served) or 'no model'}, not {model}; "
            f"start it with --model {model} (or --served-model-name {model})"
        )


def check_judge(judge: JudgeSettings) -> None:
    """Raises: KarlError when nothing answers. An endpoint that does not list its models is taken at its word."""
    mend = "start it, correct [judge] base_url in karl.toml, or take [judge] out to judge by rules"
    _served(judge.base_url, api_key=judge.api_key, what="judge endpoint", mend=mend)


def _served(url: str, *, api_key: str, what: str, mend: str) -> list[str] | None:
    """Names of the models served; None where the endpoint answers something else."""
    import httpx

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        reply = httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise KarlError(f"{what} {url}: no answer ({type(exc).__name__}: {exc}); {mend}") from exc
    return _names(reply) if reply.status_code == httpx.codes.OK else None


def _names(reply: Any) -> list[str] | None:
    try:
        return [str(entry["id"]) for entry in reply.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return None
