"""One rank of a training that `rl_backend.launch` started through torchrun."""

from rl_backend.launch.rank import main

if __name__ == "__main__":
    main()
