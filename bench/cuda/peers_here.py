"""Ends with code 0 where PyTorch, JAX and optax are installed and both find a GPU."""
import os
import sys

os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
try:
    import jax
    import optax  # noqa: F401
    import torch

    sys.exit(0 if torch.cuda.is_available() and jax.default_backend() == "gpu" else 1)
except (ImportError, RuntimeError):
    sys.exit(1)
