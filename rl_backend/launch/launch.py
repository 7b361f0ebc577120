"""Launch a training: in this process, by torchrun on this machine, or as a Ray worker group over several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from rl_backend.hooks import Hooks
from rl_backend.launch.job import TrainJob, run_job
from store.errors import UsageError

if TYPE_CHECKING:
    from rl_backend.result import TrainResult

Launcher = Literal["in-process", "torchrun", "ray"]


class Launch(BaseModel, frozen=True, extra="forbid"):
    launcher: Launcher = "in-process"
    ranks: int = Field(1, ge=1)
    "Processes that train together, one for each GPU."
    nodes: int = Field(1, ge=1)
    "Ray only: machines that share them evenly."
    ray_address: str | None = None
    "Of a running cluster; None starts Ray on this machine for as long as the training takes."


def launch(job: TrainJob, *, by: Launch, hooks: Hooks | None = None) -> TrainResult:
    """Train, whoever does it; hooks are called in this process.

    Raises: what `train` raises, on whichever rank it was raised; KarlError for a rank that died; UsageError for a
    launch that can't be.
    """
    hooks = hooks or Hooks()
    _check(job, by)
    if by.launcher == "in-process":
        return _run_here(job, hooks)
    job = job.model_copy(update={"base": job.base.absolute(), "out": job.out.absolute()})
    if by.launcher == "torchrun":
        from rl_backend.launch.torchrun import run_torchrun

        return run_torchrun(job, hooks, ranks=by.ranks)
    from rl_backend.launch.ray_group import run_ray

    return run_ray(job, hooks, by=by)


def _run_here(job: TrainJob, hooks: Hooks) -> TrainResult:
    """Alone, or as a rank of the user's own torchrun, which is to leave its process group before it ends."""
    from rl_backend import ranks

    before = ranks.world()
    result = run_job(job, hooks=hooks)
    if ranks.world() > before:
        ranks.leave()
    return result


def _check(job: TrainJob, by: Launch) -> None:
    if by.launcher == "in-process" and by.ranks > 1:
        raise UsageError(f"{by.ranks} ranks are {by.ranks} processes: launch them by torchrun or ray")
    if by.launcher != "ray" and (by.nodes > 1 or by.ray_address is not None):
        raise UsageError(
            "nodes and a Ray address go with the launcher ray; several nodes by torchrun: docs/training.md"
        )
    if by.ranks % by.nodes:
        raise UsageError(f"{by.ranks} ranks can't be shared evenly by {by.nodes} nodes")
    if by.launcher != "in-process" and job.store_url in {"sqlite://", "sqlite:///:memory:"}:
        raise UsageError("every rank opens the store by itself, which a store in memory does not allow: use a file")
