"""The value model: how likely a rollout that goes on from here is to end correct. Training, measures, folder."""
