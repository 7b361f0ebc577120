"""Who is measured: from what stands on the command line to a system with a name and an identity.

A checkpoint or policy folder runs our harness; an endpoint and a Python callable answer by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from agents.engines.settings import ChatSettings
from agents.policy import PolicyProfile
from graphs.references import import_reference
from karl.endpoints import check_system
from karl.evaluations.source import function_sha256
from karl.policies import profile_of
from karl.run_config import make_config
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import UsageError
from store.models import Checkpoint
from store.session import Session, Store
from store.types import Algorithm

EMBEDDED, CHAT = "embedded", "chat"
KEY_VARIABLE = "KARL_EVAL_KEY"
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_URL = re.compile(r"https?://", re.IGNORECASE)
_USER = re.compile(r"//[^/#]*@")
FORMS = (
    "a checkpoint's or run's name in the store, a policy folder, `embedded`, http(s)://.../v1#model, or module:function"
)


@dataclass(frozen=True)
class System:
    """`profile`: of a policy that runs our harness; None: the system answers by itself. `sha256`: see the document.

    `url`: of whatever server samples; empty: none.
    """

    name: str
    kind: Literal["checkpoint", "chat", "endpoint", "callable"]
    given: str
    model: str
    sha256: str = ""
    folder: Path | None = None
    profile: PolicyProfile | None = None
    endpoint: ChatSettings | None = None
    function: Callable[..., Any] | None = None
    url: str = ""

    @property
    def external(self) -> bool:
        return self.profile is None


def find_systems(given: Sequence[str | Callable[..., Any]], store: Store, *, settings: Settings) -> list[System]:
    """Each once, under names of their own. Raises: UsageError for one that is not there."""
    if not given:
        raise UsageError(f"no system to measure; give {FORMS}")
    found = [system for one in given for system in _found(one, store, settings=settings)]
    unique = list({(one.given, one.name): one for one in found}.values())
    names = [one.name for one in unique]
    # Two folders may have one name: then both go by what was given.
    return [replace(one, name=one.given) if names.count(one.name) > 1 else one for one in unique]


def check_systems(systems: Sequence[System]) -> None:
    """Are the endpoints there? Raises: KarlError."""
    for system in systems:
        if system.endpoint is not None:
            check_system(system.endpoint, variable=KEY_VARIABLE)


def _found(given: str | Callable[..., Any], store: Store, *, settings: Settings) -> list[System]:
    if not isinstance(given, str):
        return [_callable(given)]
    if _URL.match(given):
        return [_endpoint(given)]
    if given == CHAT and settings.engine == "chat":
        assert settings.chat is not None  # the settings were checked
        profile = profile_of(None, settings=settings)
        url = settings.chat.base_url.rstrip("/")
        return [System(CHAT, "chat", given, settings.chat.model, profile=profile, url=url)]
    with store.session() as session:
        stored = _stored(session, given)
    if given == EMBEDDED:
        return [_policy(EMBEDDED, POLICY_FOLDER, given, settings=settings)]
    if stored:
        return [_policy(row.name, Path(row.path), row.name, settings=settings) for row in stored]
    folder = Path(given).expanduser()
    if folder.is_dir():
        return [_policy(folder.resolve().name, folder, given, settings=settings)]
    if _REFERENCE.fullmatch(given):
        return [_reference(given)]
    with store.session() as session:
        known = [EMBEDDED, *(row.name for row in queries.checkpoints(session))]
    raise UsageError(f"no system {given!r}: it is {FORMS}; {queries.alternatives(given, known)}")


def _stored(session: Session, name: str) -> list[Checkpoint]:
    """The checkpoint of that name; of a run's name, the one it began with and its newest."""
    rows = queries.checkpoints(session)
    named = [row for row in rows if row.name == name]
    run = next((run for run in queries.runs(session) if run.name == name), None)
    if named or run is None:
        return named
    algorithm = Algorithm(make_config(run.settings).algorithm)
    base = [row for row in rows if row.run_id == run.id and row.algorithm is Algorithm.BASE]
    newest = queries.newest_checkpoint(session, run_id=run.id, algorithm=algorithm)
    found = [*base[:1], *([newest] if newest else [])]
    if not found:
        raise UsageError(f"run {name!r} has no checkpoint yet; `karl show {name}` says how far it is")
    return found


def _policy(name: str, folder: Path, given: str, *, settings: Settings) -> System:
    from rl_backend.checkpoint import check_model_folder, weights_sha256

    if settings.engine == "chat":
        raise UsageError(f"engine = chat samples its endpoint alone, not {given!r}; name the system `{CHAT}`")
    check_model_folder(folder)
    profile = profile_of(folder, settings=settings)
    model = str(folder) if settings.engine == "vllm" else profile.name
    return System(name, "checkpoint", given, model, weights_sha256(folder), folder=folder, profile=profile)


def _endpoint(given: str) -> System:
    url, _, model = given.partition("#")
    if not model:
        raise UsageError(f"system {given!r}: which model? write {given}#MODEL")
    if urlsplit(url).username is not None:
        shown = _USER.sub("//", given)
        raise UsageError(f"system {shown!r}: a key does not belong into the address; set {KEY_VARIABLE} to it")
    settings = ChatSettings(base_url=url.rstrip("/"), model=model, api_key=os.environ.get(KEY_VARIABLE, ""))
    return System(model, "endpoint", given, model, endpoint=settings, url=settings.base_url)


def _reference(given: str) -> System:
    found = import_reference(given, what="system", folders=[Path.cwd()])
    if not callable(found.value):
        raise UsageError(f"system {given!r}: is no function but {type(found.value).__name__}; give one of a question")
    return System(given, "callable", given, given, found.sha256, function=found.value)


def _callable(function: Callable[..., Any]) -> System:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return System(name, "callable", name, name, function_sha256(function), function=function)
