"""Ranks as a worker group of verl's single controller, over the nodes of a Ray cluster or on this machine alone.

Imports ray and verl: import it late.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import RayActorError, RayError

from rl_backend.hooks import Hooks
from rl_backend.launch.board import Board
from rl_backend.launch.job import TrainJob
from rl_backend.launch.outcome import outcome
from rl_backend.launch.rank import run_rank
from rl_backend.launch.wire import Address
from rl_backend.verl_import import import_verl
from store.errors import KarlError, UsageError

import_verl()  # the platform must be settled before verl's workers are

from verl.single_controller.base import Worker  # noqa: E402
from verl.single_controller.base.decorator import Dispatch, register  # noqa: E402
from verl.single_controller.ray import RayClassWithInitArgs, RayResourcePool, RayWorkerGroup  # noqa: E402

if TYPE_CHECKING:
    from rl_backend.launch.launch import Launch
    from rl_backend.result import TrainResult

OBJECT_STORE_BYTES = 128 << 20  # of a Ray started here: the ranks talk through gloo or nccl, not through Ray


class RankWorker(Worker):
    """One rank. verl's `Worker` takes its place in the group from the environment that the worker group sets."""

    @register(dispatch_mode=Dispatch.ONE_TO_ALL, blocking=False)  # pyright: ignore[reportAttributeAccessIssue] - dynamic
    def train(self, address: str) -> None:
        run_rank(Address.parse(address), rank=self.rank)


def run_ray(job: TrainJob, hooks: Hooks, *, by: Launch) -> TrainResult:
    """Raises: as `launch.launch` does; UsageError where the cluster has not the room."""
    with _cluster(by), Board(job, hooks, host=ray.util.get_node_ip_address()) as board, _group(by) as group:
        refs = group.train(str(board.address))
        board.serve(lambda: _running(refs, board))
        return outcome(board, cause=lambda _pid: _cause(refs))


@contextmanager
def _cluster(by: Launch) -> Iterator[None]:
    """Ray as it is where the caller has started it; else joined, or started here, and left at the end."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    here = {"num_cpus": max(by.ranks, os.cpu_count() or 1), "object_store_memory": OBJECT_STORE_BYTES}
    try:
        if by.ray_address is None:
            ray.init(include_dashboard=False, **here, **quiet)
        else:
            ray.init(address=by.ray_address, **quiet)
    except (ConnectionError, ValueError) as exc:
        raise UsageError(f"Ray at {by.ray_address or 'this machine'}: {exc}") from exc
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _group(by: Launch) -> Iterator[Any]:
    _check_room(by)
    cuda = torch.cuda.is_available()
    per_node = [by.ranks // by.nodes] * by.nodes
    pool = RayResourcePool(process_on_nodes=per_node, use_gpu=cuda, max_colocate_count=1)
    device = "cuda" if cuda else "cpu"
    worker = RayClassWithInitArgs(cls=ray.remote(RankWorker))
    group = RayWorkerGroup(resource_pool=pool, ray_cls_with_init=worker, device_name=device)
    try:
        yield group
    finally:
        for actor in group.workers:
            ray.kill(actor)
        for place in pool.pgs or []:
            ray.util.remove_placement_group(place)


def _check_room(by: Launch) -> None:
    """Ray waits for ever for a place that no node has."""
    kind, each = ("GPU" if torch.cuda.is_available() else "CPU"), by.ranks // by.nodes
    counts = [int(node["Resources"].get(kind, 0)) for node in ray.nodes() if node["Alive"]]
    if sum(count >= each for count in counts) < by.nodes:
        raise UsageError(
            f"{by.ranks} ranks on {by.nodes} nodes need {each} {kind}s on each of them; the Ray cluster's nodes have "
            f"{', '.join(map(str, counts))}"
        )


def _running(refs: Sequence[Any], board: Board) -> bool:
    """While any rank works; once one has failed, the others wait for it in vain."""
    finished, waiting = ray.wait(list(refs), num_returns=len(refs), timeout=0)
    return bool(waiting) and board.ended is None and not any(_error(ref) for ref in finished)


def _error(ref: Any) -> Exception | None:
    try:
        ray.get(ref)
    except RayError as exc:
        return exc
    return None


def _cause(refs: Sequence[Any]) -> str:
    finished, _ = ray.wait(list(refs), num_returns=len(refs), timeout=1)
    errors = [error for ref in finished if (error := _error(ref)) is not None]
    dead = [error for error in errors if isinstance(error, RayActorError)]
    told = next(iter(dead or errors), None)
    return " ".join(str(told or KarlError("Ray does not say why")).split())
