"""The price table: what it says by the second, and that it is read strictly."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.budget.money import Money, parse_money, readable_amount
from racer_rl.budget.prices import (
    SHIPPED,
    own_copy,
    parse_prices,
    price_table,
    rate_of_this_machine,
)
from racer_rl.budget.strict_yaml import parse_yaml
from racer_vehicle.errors import ConfigError, RacerError, UnknownNameError

TABLE = """
format: 1
currency: EUR
machine: here
exchange:
  USD: {worth: 0.5, date: 2026-11-26, source: a test}
machines:
  here:
    kind: Electricity
    per_kwh: 0.36
    currency: EUR
    busy_core_w: 10.0
    idle_w: 20.0
    date: 2026-11-26
    source: a test
  big: {kind: Rented, per_hour: 3.6, currency: USD, date: 2026-01-01, source: a test}
"""


def test_electricity_is_watts_by_the_price_of_a_kilowatt_hour():
    rate = parse_prices(TABLE, 'table').rate('here')
    assert rate.cost(3600.0, 0.0).amount == pytest.approx(0.02 * 0.36)
    assert rate.cost(0.0, 7200.0).amount == pytest.approx(2 * 0.01 * 0.36)
    assert (rate.idle_w, rate.busy_core_w, rate.date) == (20.0, 10.0, '2026-11-26')


def test_a_rented_machine_is_paid_by_the_hour_in_the_currency_of_the_table():
    rate = parse_prices(TABLE, 'table').rate('big')
    assert rate.cost(3600.0, 99.0).amount == pytest.approx(1.8)
    assert rate.currency == 'EUR'
    assert rate.idle_w is None
    assert rate.why == 'big: 3.6 USD an hour (2026-01-01, 1 USD = 0.5 EUR)'


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('format: 1', 'format: 2', r'format is 2; allowed: 1'),
    ('currency: EUR\nmachine', 'currency: euro\nmachine', r"currency is 'euro'; allowed: three"),
    ('machine: here', 'machine: her', r"unknown machine of the price table 'her'; did you mean "
                                      r'here\?'),
    ('per_kwh: 0.36', 'per_kwh: -1', r'Electricity.per_kwh is -1.0; allowed: 0 to 1000'),
    ('per_kwh: 0.36', 'per_kwh: "0.36"', r"per_kwh is '0.36'; allowed: a finite float"),
    ('per_kwh: 0.36', 'per_kwh: on', r"per_kwh is 'on'; allowed: a finite float"),
    ('per_kwh: 0.36', 'per_kwh: 1:30', r"per_kwh is '1:30'; allowed: a finite float"),
    ('idle_w: 20.0', '', r'table.machines.here lacks idle_w'),
    ('idle_w: 20.0', 'idle_w: 20.0\n    idle_w: 2.0', r"line 14: 'idle_w' is there twice"),
    ('date: 2026-01-01', 'date: 2026-02-30', r"Rented.date is '2026-02-30'; allowed: a day"),
    ('currency: USD', 'currency: GBP', r'machines.big.currency is GBP; allowed: EUR, USD; say '
                                       r'under `exchange` what one GBP is worth in EUR'),
    ('kind: Rented', 'kind: Bought', r"kind is 'Bought'; allowed: Electricity, Rented"),
    ('worth: 0.5', 'worth: 0', r'Exchange.worth is 0.0; allowed: 1e-09 to 1e\+09'),
    ('format: 1', '- 1', r'table: not YAML'),
])
def test_what_is_wrong_is_said_with_its_place(old, new, message):
    assert old in TABLE
    with pytest.raises(ConfigError, match=message) as caught:
        parse_prices(TABLE.replace(old, new, 1), 'table')
    assert str(caught.value).startswith('table: ')


@given(st.one_of(st.text(), st.text('[]{}:,-&*a1 \n"\'#|>', max_size=60)))
def test_any_text_is_a_table_or_refused(text):
    try:
        parse_prices(text, 'table')
    except ConfigError:
        return
    raise AssertionError('that is no table')


@given(st.integers(0, len(TABLE) - 1), st.characters(codec='utf-8'))
def test_a_table_with_any_letter_changed_is_a_table_or_refused(place, letter):
    text = TABLE[:place] + letter + TABLE[place + 1:]
    try:
        table = parse_prices(text, 'table')
    except ConfigError:
        return
    rate = table.rate(table.machine)
    assert rate.per_wall_s >= 0.0 and rate.per_cpu_s >= 0.0


def test_deep_nesting_and_loops_are_refused():
    for text in ('[' * 300, 'a: &x\n  b: *x', '{' * 1500):
        with pytest.raises(RacerError):
            parse_prices(text, 'table')


@given(st.dictionaries(st.from_regex(r'[a-z]{1,8}', fullmatch=True), st.one_of(
    st.integers(0, 10 ** 15), st.from_regex(r'[a-z][a-z0-9 ]{0,8}[a-z]', fullmatch=True))))
def test_what_looks_like_a_number_is_one_and_the_rest_is_text(content):
    text = '\n'.join(f'{key}: {value}' for key, value in content.items())
    assert parse_yaml(text or '{}') == content


def test_the_table_that_racer_comes_with_dates_every_price(racer_home):
    table = price_table()
    for name, row in table.machines.items():
        assert re.fullmatch(r'2026-\d\d-\d\d', row.date) and len(row.source) > 5, name
        assert table.rate(name).per_wall_s > 0.0
    assert rate_of_this_machine().machine == 'here'


def test_where_ros_looks_it_is_the_same_file(repository):
    assert (repository / 'config' / 'prices.yaml').read_bytes() == SHIPPED.read_bytes()


def test_a_table_of_ones_own_and_the_environment_go_first(racer_home, monkeypatch):
    path = own_copy()
    assert path.read_bytes() == SHIPPED.read_bytes()
    path.write_text(TABLE)
    assert own_copy().read_text() == TABLE, 'it is copied once'
    assert rate_of_this_machine().idle_w == 20.0
    monkeypatch.setenv('RACER_MACHINE', 'big')
    assert rate_of_this_machine().machine == 'big'
    monkeypatch.setenv('RACER_MACHINE', 'bigger')
    with pytest.raises(UnknownNameError, match=r'did you mean big\?.*racer budget prices'):
        rate_of_this_machine()


@pytest.mark.parametrize(('amount', 'text'), [
    (0.0, '0.00'), (20.0, '20.00'), (0.996, '1.00'), (0.9949, '0.995'), (0.00432, '0.00432'),
    (1e-12, '0.000000000'), (-0.5, '-0.500'), (1234.567, '1234.57')])
def test_amounts_are_read_without_powers_of_ten(amount, text):
    assert readable_amount(amount) == text


def test_money_is_read_as_people_write_it():
    assert parse_money('7,50', 'eur') == Money(7.5, 'EUR')
    for amount, currency in (('0', 'EUR'), ('-1', 'EUR'), ('1e3', 'EUR'), ('nan', 'EUR'),
                             ('1', 'euro'), ('', 'EUR')):
        with pytest.raises(ConfigError, match='allowed:'):
            parse_money(amount, currency)
