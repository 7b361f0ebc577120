"""Procedures in technical documents: ordered steps, those of the procedures that come first included."""

from __future__ import annotations

from datetime import date

from evals.fog.company import some_line
from evals.fog.query import Condition, Draft, Path, Query
from evals.fog.regimes.phrases import asked
from evals.fog.world import Triple, World
from evals.items import Nugget

TASKS = (
    "restore a backup of {product}",
    "rotate the access keys of {product}",
    "add a node to {product}",
    "roll back a release of {product}",
    "renew the certificate of {product}",
    "rebuild the search index of {product}",
    "move the archive of {product}",
    "switch {product} to the standby host",
    "raise the storage limit of {product}",
    "empty the dead letter queue of {product}",
)
STEPS = (
    "stop the {service} service",
    "start the {service} service",
    "restart the {service} service with the option {option}",
    "set {parameter} to {number} in {file}",
    "remove {parameter} from {file}",
    "copy {file} to the {host} host",
    "delete {file} from the {host} host",
    "wait until {metric} falls below {number}",
    "check that {metric} stays above {number}",
    "log in to the {host} host as {role}",
    "ask the {role} on duty to confirm the change",
    "note the value of {metric} in the change ticket",
)
SLOTS: dict[str, tuple[str, ...]] = {
    "service": ("writer", "reader", "gateway", "scheduler", "indexer", "mailer", "billing"),
    "option": ("dry-run", "safe-mode", "no-cache", "verbose", "single-user"),
    "parameter": ("max_retries", "queue_depth", "batch_size", "lease_seconds", "cache_megabytes", "worker_count"),
    "file": ("storage.toml", "limits.toml", "routes.toml", "peers.toml", "keys.toml"),
    "host": ("standby", "primary", "archive", "bastion", "build"),
    "metric": ("the replication lag", "the queue length", "the error rate", "the free disk share", "the session count"),
    "role": ("operator", "auditor", "duty engineer", "storage engineer"),
}
LEADS = (
    "The change needs a ticket.",
    "Plan about half an hour for it.",
    "Do this outside office hours.",
    "The dashboards may show alerts meanwhile.",
)


def plant(world: World) -> Draft:
    product = some_line(world).product
    names = [_name(world, product) for _ in range(world.settings.hops)]
    chains: list[list[str]] = []
    for number, name in enumerate(names):
        length = world.settings.list_length if name == names[-1] else 2
        chains.append(_procedure(world, name, length=length, first=names[number - 1] if number else ""))
    _distract(world, names[-1], product, chains[-1])
    steps = [step for chain in chains for step in chain]
    nuggets = tuple(_nugget(number, step) for number, step in enumerate(steps, 1))
    paths: tuple[Path, ...] = tuple(("needs",) * left + ("steps",) for left in reversed(range(len(names))))
    question = f"What are all the steps, in order, to {names[-1]}?{_including(world)}"
    return Draft(
        regime="procedures",
        question=asked(world, question),
        query=Query((Condition((), names[-1], f"is how to {names[-1]}"),), paths),
        rows={names[-1]: tuple("\n".join(chain) for chain in chains)},
        reference="\n".join(nugget.text for nugget in nuggets),
        nuggets=nuggets,
        things="procedures",
    )


def _nugget(number: int, step: str) -> Nugget:
    """Also as an entry of a numbered list."""
    return Nugget(text=f"Step {number}: {step}", aliases=(f"{number}. {step}",))


def _including(world: World) -> str:
    return " Include those of the procedures that come first." if world.settings.hops > 1 else ""


def _name(world: World, product: str) -> str:
    """A procedure that the product has no document of yet; of a new product where all are taken."""
    free = [task.format(product=product) for task in TASKS]
    world.rng.shuffle(free)
    for name in free:
        if world.names.claim(name):
            return name
    return _name(world, world.names.take("products"))


def _step(world: World) -> str:
    drawn = {slot: world.pick(pool) for slot, pool in SLOTS.items()}
    return world.pick(STEPS).format(**drawn, number=world.rng.randint(2, 90))


def _steps(world: World, count: int) -> list[str]:
    made: dict[str, None] = {}
    while len(made) < count:
        made.setdefault(_step(world))
    return list(made)


def _procedure(world: World, name: str, *, length: int, first: str) -> list[str]:
    """Its document in force, and where documents conflict, the version before: other steps, another order."""
    steps, day = _steps(world, length), world.day()
    _write(world, name, steps, day=day, first=first)
    if world.chance(world.settings.conflicts):
        _write(world, name, _changed(world, steps), day=world.before(day), first=first)
    return steps


def _changed(world: World, steps: list[str]) -> list[str]:
    """One step replaced, two neighbours swapped."""
    changed = list(steps)
    at = world.rng.randrange(len(steps))
    changed[at] = next(step for step in iter(lambda: _step(world), "") if step not in steps)
    changed[0], changed[1] = changed[1], changed[0]
    return changed


def _distract(world: World, name: str, product: str, steps: list[str]) -> None:
    """The same task for other products, with nearly the same steps: all is shared but the product."""
    for _ in range(world.settings.distractors):
        other = name.replace(product, world.names.take("products"))
        _write(world, other, _changed(world, steps), day=world.day(), first="")


def _write(world: World, name: str, steps: list[str], *, day: date, first: str) -> None:
    lines = [f"How to {name}.", world.pick(LEADS)]
    lines += [f"Before you begin, {first}: that procedure has a document of its own."] if first else []
    lines.append("\n".join(f"{number}. {_sentence(step)}" for number, step in enumerate(steps, 1)))
    triples: list[Triple] = [("steps", name, "\n".join(steps))]
    triples += [("needs", name, first)] if first else []
    world.write("procedures", f"How to {name}", "\n\n".join(lines), triples, day=day)


def _sentence(step: str) -> str:
    return f"{step[0].upper()}{step[1:]}."
