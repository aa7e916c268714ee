"""`racer budget`: what runs cost, and what they may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Column, Table

from racer_rl.budget.money import readable_amount
from racer_rl.cli.budget_alerts import alerts_app
from racer_rl.cli.budget_runs import runs_app
from racer_vehicle.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from racer_rl.budget.budget_file import Budget
    from racer_rl.budget.budgets import Standing
    from racer_rl.budget.ledger import Sums
    from racer_rl.budget.periods import Period, Span

budget_app = typer.Typer(add_completion=False, no_args_is_help=True,
                         help='What runs cost, and what they may.')
budget_app.add_typer(runs_app)
budget_app.add_typer(alerts_app, name='alerts')

AsJson = Annotated[bool, typer.Option('--json', help='Print one JSON object.')]
PeriodName = Annotated[str, typer.Argument(
    metavar='PERIOD', help='monthly, quarterly, annual, or run: for each run.')]

HOW_FORECAST: Final = ('forecast: what is spent, and the same pace to the end; the pace is that '
                       'since the period began, or since the first run ever if that was later; '
                       'none before a day of it')

_BAR_WIDTH: Final = 12


@budget_app.command('set')
def set_budget(
    period: PeriodName,
    amount: Annotated[str, typer.Argument(help='Of money, e.g. 20 or 7.50.')],
    currency: Annotated[str, typer.Argument(help='That of the price table, e.g. EUR.')],
    alert: Annotated[str, typer.Option(
        metavar='LIST', help='When to send alerts: per cent and `forecast`, with commas between '
        'them; `none` for none. Default: 50,80,100,forecast; for runs 80,100.')] = '',
    hard: Annotated[bool, typer.Option(
        '--hard', help='Refuse runs that do not fit, and stop those that reach it.')] = False,
    as_json: AsJson = False,
) -> None:
    """Set what may be spent in a month, a quarter, a year, or on each run."""
    from racer_rl.budget import budget_file
    from racer_rl.budget.money import parse_money
    from racer_rl.budget.periods import Period
    from racer_rl.budget.prices import rate_of_this_machine

    which, money = _period(period), parse_money(amount, currency)
    table = rate_of_this_machine().currency
    if money.currency != table:
        raise ConfigError(f'budget is in {money.currency}; allowed: {table}, the currency of the '
                          'price table. Change it there: racer budget prices --edit-path.')
    alerts, with_forecast = _alerts(
        alert or ('80,100' if which is Period.RUN else '50,80,100,forecast'))
    budget = budget_file.Budget(
        period=which, amount=money.amount, currency=money.currency, alerts=alerts,
        forecast=with_forecast, hard=hard)
    budget_file.set_budget(budget)
    if as_json:
        typer.echo(json.dumps(_plain_budget(budget)))
        return
    kind = 'hard: runs are refused and stopped for it' if hard else 'runs go on beyond it'
    typer.echo(f'{which}: {budget.limit}; alerts: {_alert_words(budget)}; {kind}.')


@budget_app.command('remove')
def remove_budget(period: PeriodName, as_json: AsJson = False) -> None:
    """Remove a budget; what was spent stays in the ledger."""
    from racer_rl.budget import budget_file

    gone = budget_file.remove_budget(_period(period))
    if as_json:
        typer.echo(json.dumps({'removed': _plain_budget(gone)}))
        return
    typer.echo(f'removed: {gone.period}, {gone.limit}.')


@budget_app.command('show')
def show_budgets(
    period: Annotated[str, typer.Option(
        '--by', metavar='PERIOD', help='Of which the models are listed: monthly, quarterly, '
        'annual.')] = 'monthly',
    as_json: AsJson = False,
) -> None:
    """Show what was spent and will be, of every budget and by model."""
    from racer_rl.budget.budget_file import read_budgets
    from racer_rl.budget.budgets import standings
    from racer_rl.budget.ledger import open_ledger
    from racer_rl.budget.periods import Period, span_of
    from racer_rl.clock import utc_s

    which = _period(period)
    if which is Period.RUN:
        raise ConfigError('--by is run; allowed: monthly, quarterly, annual.')
    now_s = utc_s()
    found, span = standings(now_s), span_of(which, now_s)
    runs = [budget for budget in read_budgets() if budget.period is Period.RUN]
    with open_ledger() as ledger:
        models = ledger.by_model(span.begin_s, span.end_s)
    if as_json:
        typer.echo(json.dumps(_as_plain(found, runs, models, span), indent=2))
        return
    if found or runs:
        Console().print(_budget_table(found, runs))
        budgets = [*(standing.budget for standing in found), *runs]
        typer.echo('alerts: ' + '; '.join(f'{each.period} {_alert_words(each)}'
                                          for each in budgets))
        if found:
            typer.echo(HOW_FORECAST)
    else:
        typer.echo('no budget is set; set one: racer budget set monthly 20 EUR')
    typer.echo('')
    _print_models(models, span)


@budget_app.command('prices')
def show_prices(
    edit_path: Annotated[bool, typer.Option(
        '--edit-path', help='Print where your own table is, after making one if there is '
        'none.')] = False,
    as_json: AsJson = False,
) -> None:
    """Show what machines cost, and which of them this one is."""
    from racer_rl.budget.prices import own_copy, own_path, price_table, rate_of_this_machine

    if edit_path:
        path = own_copy()
        typer.echo(json.dumps({'path': str(path)}) if as_json else path)
        return
    table, here = price_table(), rate_of_this_machine()
    source = str(own_path()) if own_path().exists() else 'comes with racer'
    rates = [table.rate(name) for name in table.machines]
    if as_json:
        rows = {rate.machine: {
            'per_hour': rate.per_wall_s * 3600.0, 'per_core_hour': rate.per_cpu_s * 3600.0,
            'date': rate.date, 'source': table.machines[rate.machine].source} for rate in rates}
        typer.echo(json.dumps({'currency': table.currency, 'machine': here.machine,
                               'table': source, 'machines': rows}, indent=2))
        return
    shown = Table('machine', box=None, pad_edge=False, header_style='bold')
    for heading in (f'{table.currency} an hour', 'and a busy core'):
        shown.add_column(heading, justify='right', no_wrap=True)
    shown.add_column('date', no_wrap=True)
    shown.add_column('source', overflow='fold')
    for rate in rates:
        is_here = rate.machine == here.machine
        shown.add_row(rate.machine, f'{rate.per_wall_s * 3600.0:.4f}',
                      f'{rate.per_cpu_s * 3600.0:.4f}' if rate.per_cpu_s else '', rate.date,
                      table.machines[rate.machine].source, style='bold' if is_here else '')
    Console().print(shown)
    typer.echo(f'\nthis machine is {here.why}\ntable: {source}; change it: racer budget prices '
               '--edit-path')


def _period(name: str) -> Period:
    from racer_rl.budget.periods import Period

    if name not in tuple(Period):
        raise UnknownNameError('period', name, Period)
    return Period(name)


def _alerts(text: str) -> tuple[tuple[float, ...], bool]:
    """Per cent, rising, and whether the forecast is one of them."""
    from racer_rl.budget.budgets import FORECAST

    words = [] if text == 'none' else [word.strip().removesuffix('%') for word in text.split(',')]
    try:
        numbers = sorted({float(word) for word in words if word != FORECAST})
    except ValueError:
        raise ConfigError(f'--alert is {text!r}; allowed: per cent and `forecast` with commas '
                          'between them, e.g. 50,80,100,forecast, or none.') from None
    return tuple(numbers), FORECAST in words


def _alert_words(budget: Budget) -> str:
    words = [','.join(f'{alert:g}' for alert in budget.alerts) + ' %'] if budget.alerts else []
    return ', '.join(words + ['forecast'] * budget.forecast) or 'none'


def _budget_table(found: list[Standing], runs: list[Budget]) -> Table:
    table = Table(Column('budget', no_wrap=True), '', box=None, pad_edge=False,
                  header_style='bold')
    for heading in ('spent', '', 'of', 'forecast'):
        table.add_column(heading, justify='right', no_wrap=True)
    table.add_column('', no_wrap=True)
    for standing in found:
        budget, ahead = standing.budget, standing.forecast
        bar = ProgressBar(total=1.0, completed=min(standing.share, 1.0), width=_BAR_WIDTH)
        table.add_row(f'{budget.period} {standing.span.name}', bar,
                      readable_amount(standing.spent.amount), f'{standing.share:.0%}',
                      str(budget.limit), '-' if ahead is None else readable_amount(ahead.amount),
                      'hard' if budget.hard else '')
    for budget in runs:
        table.add_row('each run', '', '', '', str(budget.limit), '',
                      'hard' if budget.hard else '')
    return table


def _print_models(models: list[Sums], span: Span) -> None:
    from racer_rl.cli.budget_runs import sums_table

    if not models:
        typer.echo(f'{span.name}: nothing ran yet')
        return
    typer.echo(f'{span.name}, by model:')
    Console().print(sums_table(models))


def _plain_budget(budget: Budget) -> dict[str, Any]:
    from racer_vehicle.spec import spec_as_dict

    return spec_as_dict(budget)


def _as_plain(found: list[Standing], runs: list[Budget], models: list[Sums], span: Span,
              ) -> dict[str, Any]:
    from racer_vehicle.spec import spec_as_dict

    budgets = [{**_plain_budget(standing.budget), 'span': standing.span.name,
                'spent': standing.spent.amount, 'share': standing.share,
                'expected': None if standing.forecast is None else standing.forecast.amount}
               for standing in found]
    return {'budgets': budgets + [_plain_budget(budget) for budget in runs], 'span': span.name,
            'models': [spec_as_dict(each) for each in models]}
