"""What nodes of every kind may set: limits of their own; and, where they sample the policy, how."""

from __future__ import annotations

from pydantic import Field

from graphs.schema.closed import Closed


class Sampling(Closed):
    """How the policy is sampled wherever a node does not say otherwise."""

    max_tokens: int = Field(default=2_048, ge=1, description="tokens a turn, at most")
    temperature: float = Field(default=1.0, ge=0, description="0: the likeliest token; training needs 1")
    top_p: float = Field(default=1.0, gt=0, le=1, description="least likely tokens cut off; training needs 1")


class NodeSampling(Closed):
    """What one node changes of the graph's `sampling`."""

    max_tokens: int | None = Field(default=None, ge=1, description="tokens of this node's turns, at most")
    temperature: float | None = Field(
        default=None, ge=0, description="of this node, also where the caller chose another one for the rollout"
    )
    top_p: float | None = Field(default=None, gt=0, le=1, description="of this node")


class NodeLimits(Closed):
    """What one visit of a node may cost."""

    seconds: float | None = Field(
        default=None, gt=0, description="wall clock of one visit; beyond it the rollout failed"
    )


class Node(Closed):
    """Base of the node kinds."""

    limits: NodeLimits = Field(default=NodeLimits(), description="of one visit of this node")


class SpeakingNode(Node):
    """Base of the kinds that sample the policy."""

    sampling: NodeSampling = Field(default=NodeSampling(), description="laid over the graph's `sampling`")
