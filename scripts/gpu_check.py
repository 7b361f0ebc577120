"""The training half on one device, printed as one JSON object: exact loss, one step, a small learning run, speed.

Run by `gpu_check.sh`. It takes nothing but torch, transformers (with numpy and safetensors, which they need) and this
folder: verl, pydantic, SQLModel and the rest of karl may be absent. Then `verl` is null in the report and the pure loss
(`rl_backend/oapl.py`) in a plain PyTorch loop (`rl_backend/bare.py`) stands in for it; the store has no part in this.
Exit status: 1 if a target does not hold, 2 without a CUDA device.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import transformers
from gpu_check_parts import Size, exactness, learning, speed, step, utilisation

from evals.bench_frame import Target, bench_report
from rl_backend.random_model import HALF_BILLION, SMALL, TOY, write_random_model

# float32 rounds a log-prob to some 1e-7, and a GPU sums in another order; bfloat16 keeps 8 bits.
FLOAT32_ERROR, BFLOAT16_ERROR = 1e-5, 0.05
# Nats by which winners must end above losers, whatever the seed.
LEARNED = 1.0


class Sizes(NamedTuple):
    seeds: int
    speed: Size
    utilisation: Size


SIZES = {
    "full": Sizes(5, Size(SMALL, 64, 1024, 16, 10, 8192), Size(HALF_BILLION, 16, 2048, 4, 8, 8192)),
    "tiny": Sizes(2, Size(TOY, 4, 64, 2, 2, 64), Size(TOY, 4, 64, 2, 2, 64)),
}


def main() -> int:
    options = _options()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("gpu_check: torch sees no CUDA device; --device cpu runs the same on the CPU", file=sys.stderr)
        return 2
    transformers.utils.logging.disable_progress_bar()
    began = time.perf_counter()
    with TemporaryDirectory(prefix="gpu-check-") as folder:
        figures = _figures(Path(folder), options.device, SIZES[options.size])
    report = bench_report(
        "gpu_check",
        figures=figures,
        compared={"float64": "numpy on the CPU", "torch": torch.__version__, "transformers": transformers.__version__},
        targets=_targets(figures),
        seconds=time.perf_counter() - began,
        seed=0,
    )
    print(json.dumps(report, indent=2))
    return 0 if all(target["ok"] for target in report["targets"]) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", choices=tuple(SIZES), default="full", help="tiny: to try the script itself")
    return parser.parse_args()


def _figures(folder: Path, device: str, sizes: Sizes) -> dict[str, Any]:
    base = folder / "toy"
    write_random_model(base, TOY, seed=0)
    verl = _verl(device)
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "verl": verl,
        "trained by": "a plain PyTorch loop over the pure loss" + ("" if verl is None else ", and verl"),
        "exactness": exactness(base, device),
        "step": step(base, device, verl=verl),
        "learning": learning(base, device, seeds=range(sizes.seeds)),
        "speed": speed(folder / "speed", device, sizes.speed),
        "utilisation": utilisation(folder / "large", device, sizes.utilisation),
    }


def _verl(device: str) -> str | None:
    """verl's version where it can train on this device; None where it is missing, or would take another device."""
    if torch.cuda.is_available() != (device == "cuda"):
        return None
    try:
        import verl

        import rl_backend.verl_adapter  # noqa: F401 - itself needs pydantic
    except ImportError as exc:
        print(f"gpu_check: without verl ({exc})", file=sys.stderr)
        return None
    return str(verl.__version__)


def _targets(figures: dict[str, Any]) -> list[Target]:
    exact, stepped = figures["exactness"], figures["step"]
    limits = {name: BFLOAT16_ERROR if "bfloat16" in name else FLOAT32_ERROR for name in exact}
    return [
        *(Target(f"exactness.{name}", exact[name], "<=", limit) for name, limit in limits.items()),
        Target("step.loss of the next step", stepped["loss of the next step"], "<", stepped["loss"]),
        Target("step.next step against the CPU", stepped["next step against the CPU"], "<=", 1e-2),
        Target("learning.smallest_gap_nats", figures["learning"]["smallest_gap_nats"], ">=", LEARNED),
    ]


if __name__ == "__main__":
    sys.exit(main())
