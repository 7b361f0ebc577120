"""From a system's name to what answers: weights, graph, prompts, settings, all known before a model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from graphs.library import Library, Loaded
from graphs.schema import ParallelNode
from karl.api.place import Place, default_temperature, graph_or_file, with_attempts
from karl.api.voice import voice_of
from karl.arena.spec import CHAT, EMBEDDED, SystemSpec, parse_system, wrong
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import UsageError
from store.models import ArenaSystem
from store.session import Store
from store.types import Role

MOST = 8  # columns that a person can read side by side, and more


@dataclass(frozen=True)
class Identity:
    """What makes two answers those of one system. Fields are the columns of `ArenaSystem`."""

    checkpoint: str
    weights_sha256: str
    model: str
    policy_version: int
    graph: str
    graph_sha256: str
    prompt_sha256: dict[str, str]
    inner_sha256: dict[str, str]
    value_sha256: str
    temperature: float | None

    @property
    def key(self) -> str:
        """Weights count, not the folder they lie in: a copied checkpoint is the same system."""
        told = asdict(self)
        if self.weights_sha256:
            del told["checkpoint"]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class System:
    """Ready to be loaded. `folder` None: the chat endpoint of `settings`."""

    label: str
    spec: SystemSpec
    folder: Path | None
    identity: Identity
    settings: Settings = field(repr=False)

    @property
    def row(self) -> ArenaSystem:
        return ArenaSystem(key=self.identity.key, name=self.label, **asdict(self.identity))


def find_systems(texts: Sequence[str], *, store: Store, settings: Settings) -> list[System]:
    """All systems of a battle. Raises: UsageError for one that is wrong, or there twice, or too few of them."""
    if not 2 <= len(texts) <= MOST:
        raise UsageError(f"an arena takes 2 to {MOST} systems, got {len(texts)}; name each with --system")
    found: dict[str, System] = {}
    for text in texts:
        system = find_system(text, store=store, settings=settings)
        twin = found.setdefault(system.identity.key, system)
        if twin is not system:
            raise wrong(text, f"the same weights, graph and settings as {twin.label!r}; change one of them")
    return list(found.values())


def find_system(text: str, *, store: Store, settings: Settings) -> System:
    """Raises: UsageError that names the system and what is wrong with it. Loads no model; hashes weights."""
    spec = parse_system(text)
    try:
        return resolve(spec, label=text.strip(), store=store, settings=settings)
    except UsageError as exc:
        raise wrong(text, exc) from exc


def resolve(spec: SystemSpec, *, label: str, store: Store, settings: Settings) -> System:
    """As `find_system`, of one that has been read. Raises: UsageError for what is wrong with it."""
    chosen = _settings(spec, settings)
    folder, known_sha256 = _folder(spec, store)
    return System(label, spec, folder, _identity(spec, folder, known_sha256, chosen), chosen)


def _settings(spec: SystemSpec, settings: Settings) -> Settings:
    """With the engine that this system is sampled by."""
    if spec.checkpoint != CHAT:
        return settings if settings.engine != "chat" else settings.model_copy(update={"engine": "local"})
    if settings.chat is None:
        raise UsageError("karl.toml has no table [chat]; give it base_url and model")
    chat = settings.chat.model_copy(update={"model": spec.model} if spec.model else {})
    return settings.model_copy(update={"engine": "chat", "chat": chat})


def _folder(spec: SystemSpec, store: Store) -> tuple[Path | None, str]:
    """Where the weights are, and their hash where the store knows it."""
    if spec.checkpoint == CHAT:
        return None, ""
    if spec.checkpoint == EMBEDDED:
        return POLICY_FOLDER, ""
    with store.session() as session:
        rows = {row.name: row for row in queries.checkpoints(session)}
    row = rows.get(spec.checkpoint)
    folder = Path(row.path if row else spec.checkpoint).expanduser()
    if not folder.is_dir():
        if row is not None:
            raise UsageError(f"the folder of checkpoint {row.name!r} is gone: {folder}")
        hint = queries.alternatives(spec.checkpoint, [EMBEDDED, CHAT, *rows])
        raise UsageError(f"no checkpoint and no folder {spec.checkpoint!r}; {hint}")
    return folder, row.weights_sha256 if row else ""


def _identity(spec: SystemSpec, folder: Path | None, weights: str, settings: Settings) -> Identity:
    voice = voice_of(folder, None, None, settings=settings)
    tasks = [spec.task] if spec.task else []
    variant = voice.profile.prompt_variant
    place = Place(graph_or_file(spec.graph), variant, tasks, settings.graph_path, settings.prompt_path)
    changes = with_attempts(place.spec(None), {}, spec.attempts)
    loaded = place.library.get(place.graph, variant=variant, changes=changes)
    if loaded.spec.role not in (Role.SOLVER, Role.AGGREGATOR):
        raise UsageError(f"graph '{loaded.spec.name}' answers no questions; name one such as solver or aggregator")
    if spec.value is not None and not spec.value.expanduser().is_dir():
        raise UsageError(f"key 'value': no folder {str(spec.value)!r}; `karl value train` makes one")
    chat = settings.chat if folder is None else None
    return Identity(
        checkpoint=str(folder) if chat is None else chat.base_url,
        weights_sha256=(weights or _weights(folder)) if folder else "",
        model=voice.profile.name,
        policy_version=voice.profile.policy_version,
        graph=loaded.spec.name,
        graph_sha256=loaded.spec.sha256,
        prompt_sha256=_prompts(loaded),
        inner_sha256=dict(_inner(place.library, loaded, variant)),
        value_sha256=_weights(spec.value.expanduser()) if spec.value else "",
        temperature=default_temperature(loaded.spec) if spec.temperature is None else spec.temperature,
    )


def _weights(folder: Path) -> str:
    """A server is asked often, and large weights take long to read: hashed once for each state of the files."""
    from rl_backend.checkpoint import weight_files

    states = ((file.name, file.stat()) for file in weight_files(folder))
    return _hashed(folder, tuple((name, state.st_size, state.st_mtime_ns) for name, state in states))


@lru_cache(maxsize=64)
def _hashed(folder: Path, state: tuple[tuple[str, int, int], ...]) -> str:
    from rl_backend.checkpoint import weights_sha256

    return weights_sha256(folder)


def _prompts(loaded: Loaded) -> dict[str, str]:
    from graphs.functions import function_hashes

    return {name: prompt.sha256 for name, prompt in loaded.prompts.items()} | function_hashes(loaded.spec)


def _inner(library: Library, loaded: Loaded, variant: str) -> Iterator[tuple[str, str]]:
    """Graphs that run inside of this one, and their prompts."""
    for name, node in loaded.spec.nodes.items():
        if isinstance(node, ParallelNode):
            inner = library.get(node.graph, variant=variant, changes=node.changes)
            yield name, inner.spec.sha256
            for part, sha256 in [*_prompts(inner).items(), *_inner(library, inner, variant)]:
                yield f"{name}/{part}", sha256
