"""karl: search agents that train themselves on your documents. The flow is in `karl.loop`, the CLI in `karl.cli`."""
