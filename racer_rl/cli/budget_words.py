"""What runs cost, in a line before and a line after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racer_rl.cli.durations import format_duration

if TYPE_CHECKING:
    from racer_rl.budget.estimates import Estimate
    from racer_rl.budget.money import Money, Spent


def estimate_line(estimate: Estimate | None) -> str:
    """What a run will cost: `will cost about 0.0021 EUR for 10:00 min (...)`."""
    if estimate is None:
        return 'what this will cost is not known: it has no limit of time, and no run before it'
    runs = estimate.earlier_runs
    learnt = {0: 'every core busy', 1: f'{estimate.busy_cores:.1f} cores busy as in the last run'}
    basis = learnt.get(runs, f'{estimate.busy_cores:.1f} cores busy as in {runs} runs before')
    return (f'will cost about {estimate.money} for {format_duration(estimate.wall_s)} '
            f'({estimate.rate.why}; {basis})')


def cost_line(spent: Spent, *, completion: float | None = None, clean_laps: int | None = None,
              ) -> str:
    """What a run cost, and what its progress cost.

    Args:
        spent: By the run.
        completion: That it gained, 0 to 1; None, and 0 or less: nothing is said about it.
        clean_laps: That the model drove in the run's last evaluation; None and 0 as above.
    """
    energy = '' if spent.energy_j is None else (
        f', {spent.energy_j / 3600.0:.3g} Wh {"measured" if spent.energy_measured else "or so"}')
    parts = [f'cost {spent.money}: {format_duration(spent.wall_s)}, '
             f'{format_duration(spent.cpu_s)} of a core{energy}']
    if completion is not None and completion > 0.0:
        parts.append(f'{_part(spent.money, 100.0 * completion)} a per cent of completion')
    if clean_laps:
        parts.append(f'{_part(spent.money, clean_laps)} a clean lap')
    return '; '.join(parts)


def readable_energy(energy_j: float) -> str:
    """Joules as people pay for them: `12.3 Wh`, `1.23 kWh`."""
    wh = energy_j / 3600.0
    return f'{wh / 1000.0:.2f} kWh' if wh >= 1000.0 else f'{wh:.1f} Wh'


def _part(money: Money, of: float) -> str:
    return str(type(money)(money.amount / of, money.currency))
