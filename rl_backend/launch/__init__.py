"""One training, one process or many: how it is launched changes nothing of its result."""

from rl_backend.launch.job import TrainJob, run_job
from rl_backend.launch.launch import Launch, launch

__all__ = ["Launch", "TrainJob", "launch", "run_job"]
