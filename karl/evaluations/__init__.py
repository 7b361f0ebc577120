"""`karl eval`: systems, tasks and their items, the rollouts of one evaluation, its judgements, its document."""
