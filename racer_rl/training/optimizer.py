"""Adam, without torch's compiler.

At an optimizer's first call torch imports its compiler, to tell it to keep off. That takes 1.7 s,
which is a fifth of a short run, and nothing here is ever compiled. So this class calls what
decorators of torch wrap; the arithmetic is torch's to the last bit, which a test holds.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import cast

import torch

_Step = Callable[..., float | None]


class Adam(torch.optim.Adam):
    """Kingma & Ba 2015, as `torch.optim.Adam`; not for differentiating through its steps."""

    step = cast(_Step, torch.no_grad()(unwrap(torch.optim.Adam.step)))
    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    zero_grad = unwrap(torch.optim.Adam.zero_grad)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
