"""Are the servers of the settings there? Asked once before work starts: one message stands for every failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

from agents.engines.settings import ChatSettings
from agents.structured import JudgeSettings
from karl.settings import Settings
from store.errors import KarlError

SHOWN = 8  # models in a message
SECONDS = 5.0  # a server that needs longer to list its models will not judge thousands of rollouts either


class Served(NamedTuple):
    """One model that an endpoint lists. `max_tokens`: prompt and continuation together; None where it is not said."""

    name: str
    max_tokens: int | None


class Load(NamedTuple):
    """What a vLLM server is busy with: requests."""

    running: int
    waiting: int


class Unreachable(KarlError):
    """Nothing answers at a URL."""


def check_vllm(
    settings: Settings, *, model: str, context_tokens: int = 0, say: Callable[[str], None] | None = None
) -> None:
    """`say` is told of endpoints that are down while others are up.

    Raises: KarlError when no endpoint answers, or when one refuses the key, serves another model, or takes fewer than
    `context_tokens` tokens.
    """
    for url, models in _reachable(settings, say=say).items():
        if models is not None:
            _check_model(url, models, model=model, context_tokens=context_tokens)


def serves(settings: Settings, *, model: str) -> bool:
    """Whether an endpoint lists `model`. Raises: KarlError when none answers or the key is refused."""
    listed = _reachable(settings, say=None).values()
    return any(model == served.name for models in listed for served in models or ())


def _reachable(settings: Settings, *, say: Callable[[str], None] | None) -> dict[str, list[Served] | None]:
    """Models by URL of the endpoints that answer. Raises: KarlError when none does."""
    found: dict[str, list[Served] | None] = {}
    down: list[Unreachable] = []
    for url in settings.vllm_url:
        try:
            found[url] = vllm_models(url, api_key=settings.vllm_api_key)
        except Unreachable as exc:
            down.append(exc)
    if not found:
        raise KarlError("\n".join(map(str, down)))
    for exc in down if say else ():
        assert say is not None
        say(f"{exc}; the other endpoints do its work")
    return found


def _check_model(url: str, models: list[Served], *, model: str, context_tokens: int) -> None:
    by_name = {served.name: served for served in models}
    if model not in by_name:
        raise KarlError(
            f"vLLM endpoint {url}: serves {', '.join(by_name) or 'no model'}, not {model}; "
            f"start it with --model {model} (or --served-model-name {model})"
        )
    limit = by_name[model].max_tokens
    if limit is not None and limit < context_tokens:
        raise KarlError(
            f"vLLM endpoint {url}: takes {limit} tokens, and the policy's karl.json says context_tokens "
            f"{context_tokens}; start it with --max-model-len {context_tokens}"
        )


def vllm_models(url: str, *, api_key: str) -> list[Served] | None:
    """Raises: Unreachable; KarlError when the key is refused. None where something else answers."""
    mend = "start it, or correct vllm_url in karl.toml"
    return _served(url, api_key=api_key, what="vLLM endpoint", mend=mend, key="vllm_api_key in karl.toml")


def vllm_load(url: str, *, api_key: str) -> Load | None:
    """From the server's metrics, which stand beside its /v1; None where it shows none."""
    import httpx

    root = url.rstrip("/").removesuffix("/v1")
    try:
        reply = httpx.get(f"{root}/metrics", headers=bearer(api_key), timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    gauges = dict(re.findall(r"^vllm:num_requests_(running|waiting)\{.*\} ([0-9.e+]+)$", reply.text, re.MULTILINE))
    return Load(**{name: int(float(gauges[name])) for name in Load._fields}) if len(gauges) == 2 else None


def check_judge(judge: JudgeSettings) -> None:
    """Raises: KarlError when nothing answers. An endpoint that does not list its models is taken at its word."""
    mend = "start it, correct [judge] base_url in karl.toml, or take [judge] out to judge by rules"
    _served(judge.base_url, api_key=judge.api_key, what="judge endpoint", mend=mend, key="[judge] api_key in karl.toml")


def check_chat(chat: ChatSettings) -> None:
    """Raises: KarlError when nothing answers. An endpoint that does not list its models is taken at its word."""
    mend = "correct [chat] base_url in karl.toml, or set engine = local"
    _check_chat(chat, what="chat endpoint", mend=mend, key="[chat] api_key in karl.toml", named="[chat] model")


def check_system(endpoint: ChatSettings, *, variable: str) -> None:
    """Of an endpoint that is evaluated; its key comes from `variable`. Raises: KarlError as `check_chat` does."""
    _check_chat(endpoint, what="endpoint", mend="start it, or correct the URL", key=variable, named="model")


def _check_chat(chat: ChatSettings, *, what: str, mend: str, key: str, named: str) -> None:
    served = _served(chat.base_url, api_key=chat.api_key, what=what, mend=mend, key=key)
    names = [one.name for one in served or ()]
    if names and chat.model not in names:
        listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        close = get_close_matches(chat.model, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise KarlError(f"{what} {chat.base_url}: has {listed}, not {named} {chat.model!r}{hint}")


def _served(url: str, *, api_key: str, what: str, mend: str, key: str) -> list[Served] | None:
    """The models served; None where the endpoint answers something else. `key`: setting of its API key."""
    import httpx

    try:
        reply = httpx.get(f"{url.rstrip('/')}/models", headers=bearer(api_key), timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise Unreachable(f"{what} {url}: no answer ({type(exc).__name__}: {exc}); {mend}") from exc
    if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise KarlError(f"{what} {url}: refuses the key (status {reply.status_code}); set {key}")
    return _models(reply) if reply.status_code == httpx.codes.OK else None


def bearer(api_key: str) -> dict[str, str]:
    """HTTP headers for a key; none for an empty one."""
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _models(reply: Any) -> list[Served] | None:
    try:
        return [Served(str(entry["id"]), entry.get("max_model_len")) for entry in reply.json()["data"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
