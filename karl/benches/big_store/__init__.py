"""A store as months of work leave it: seeded, of any number of rollouts, for measuring what reads it."""

from karl.benches.big_store.fill import Filled, fill_store
from karl.benches.big_store.plan import Plan, RunPlan, plan_store

__all__ = ["Filled", "Plan", "RunPlan", "fill_store", "plan_store"]
