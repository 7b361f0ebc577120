"""Are the servers of the settings there? Asked once before work starts: one message stands for every failure."""

from __future__ import annotations

from typing import Any

from agents.llm_judge import JudgeSettings
from store.errors import KarlError

SECONDS = 5.0  # a server that needs longer to list its models will not judge thousands of rollouts either


def check_vllm(url: str, *, model: str, api_key: str = "") -> None:
    """Raises: KarlError when nothing answers at `url`, when it refuses the key, or when it serves another model."""
    served = _vllm_models(url, api_key=api_key)
    if served is not None and model not in served:
        raise KarlError(
            f"vLLM endpoint {url}: serves {', '.join(served) or 'no model'}, not {model}; "
            f"start it with --model {model} (or --served-model-name {model})"
        )


def serves(url: str, *, model: str, api_key: str = "") -> bool:
    """Whether the endpoint lists `model`. Raises: KarlError when nothing answers or the key is refused."""
    return model in (_vllm_models(url, api_key=api_key) or ())


def _vllm_models(url: str, *, api_key: str) -> list[str] | None:
    mend = "start it, or correct vllm_url in karl.toml"
    return _served(url, api_key=api_key, what="vLLM endpoint", mend=mend, key="vllm_api_key")


def check_judge(judge: JudgeSettings) -> None:
    """Raises: KarlError when nothing answers. An endpoint that does not list its models is taken at its word."""
    mend = "start it, correct [judge] base_url in karl.toml, or take [judge] out to judge by rules"
    _served(judge.base_url, api_key=judge.api_key, what="judge endpoint", mend=mend, key="[judge] api_key")


def _served(url: str, *, api_key: str, what: str, mend: str, key: str) -> list[str] | None:
    """Names of the models served; None where the endpoint answers something else. `key`: setting of its API key."""
    import httpx

    try:
        reply = httpx.get(f"{url.rstrip('/')}/models", headers=bearer(api_key), timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise KarlError(f"{what} {url}: no answer ({type(exc).__name__}: {exc}); {mend}") from exc
    if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise KarlError(f"{what} {url}: refuses the key (status {reply.status_code}); set {key} in karl.toml")
    return _names(reply) if reply.status_code == httpx.codes.OK else None


def bearer(api_key: str) -> dict[str, str]:
    """HTTP headers for a key; none for an empty one."""
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _names(reply: Any) -> list[str] | None:
    try:
        return [str(entry["id"]) for entry in reply.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return None
