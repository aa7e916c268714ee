"""The optimizer is torch's in everything but the import of torch's compiler."""

import subprocess
import sys

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from racer_rl.training.optimizer import Adam


def steps(optimizer_class: type[torch.optim.Adam], seed: int, rate: float,
          fused: bool) -> tuple[dict[str, object], list[torch.Tensor]]:
    """State and weights after some steps, with a second group of weights and a reload between."""
    torch.manual_seed(seed)
    body, head = nn.Linear(5, 4), nn.Linear(4, 2)
    optimizer = optimizer_class(body.parameters(), lr=rate, eps=1e-5, fused=fused)
    optimizer.add_param_group({'params': list(head.parameters()), 'lr': rate / 3.0})
    for step in range(6):
        optimizer.zero_grad()
        head(torch.tanh(body(torch.randn(7, 5)))).square().mean().backward()
        optimizer.step()
        if step == 3:
            state = optimizer.state_dict()
            optimizer.load_state_dict(state)
    return optimizer.state_dict(), [*body.parameters(), *head.parameters()]


@given(seed=st.integers(0, 1000), rate=st.floats(1e-5, 1e-1), fused=st.booleans())
def test_it_steps_as_torchs_to_the_last_bit(seed: int, rate: float, fused: bool) -> None:
    ours, our_weights = steps(Adam, seed, rate, fused)
    theirs, their_weights = steps(torch.optim.Adam, seed, rate, fused)
    assert str(ours) == str(theirs)
    for our, their in zip(our_weights, their_weights, strict=True):
        assert torch.equal(our, their)


def test_a_step_is_not_recorded_for_gradients() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = Adam([weight], lr=0.1)
    weight.square().sum().backward()
    optimizer.step()
    assert weight.is_leaf
    assert weight.grad_fn is None


def test_torchs_compiler_stays_out() -> None:
    program = (
        'import sys, torch\n'
        'from torch import nn\n'
        'from racer_rl.training.optimizer import Adam\n'
        'weight = nn.Parameter(torch.ones(3))\n'
        'optimizer = Adam([weight], fused=True)\n'
        'weight.sum().backward()\n'
        'optimizer.step(); optimizer.zero_grad()\n'
        'optimizer.load_state_dict(optimizer.state_dict())\n'
        'print("torch._dynamo" in sys.modules)\n')
    said = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          check=True, timeout=120)
    assert said.stdout.strip() == 'False'
