"""The processor's counters, on files as Linux shows them."""

import os

import pytest

from racer_rl.budget.energy import EnergyCounter

TICKS = os.sysconf('SC_CLK_TCK')


class Machine:
    """Files of a machine with processors, written as the kernel does."""

    def __init__(self, folder, packages=1):
        self.powercap, self.stat = folder / 'powercap', folder / 'stat'
        for index in range(packages):
            self.package(index).mkdir(parents=True)
            (self.package(index) / 'max_energy_range_uj').write_text('1000000000\n')
            core = self.powercap / f'intel-rapl:{index}:0'  # part of the same energy
            core.mkdir()
            (core / 'energy_uj').write_text('999\n')
            self.energy(0, index)
        self.work(0.0)

    def package(self, index):
        return self.powercap / f'intel-rapl:{index}'

    def energy(self, joules, index=0):
        (self.package(index) / 'energy_uj').write_text(f'{round(joules * 1e6)}\n')

    def work(self, busy_s):
        ticks = round(busy_s * TICKS)
        self.stat.write_text(f'cpu  {ticks} 0 0 999999 5 0 0 0 0 0\ncpu0 1 2 3\n')

    def counter(self):
        return EnergyCounter(self.powercap, self.stat)


def test_a_run_is_given_its_part_of_all_work(tmp_path):
    machine = Machine(tmp_path)
    counter = machine.counter()
    assert counter.readable
    machine.energy(100.0)
    machine.work(10.0)
    assert counter.read(2.5) == pytest.approx(25.0)
    assert counter.read(0.0) == 0.0
    machine.energy(150.0)
    machine.work(11.0)
    assert counter.read(9.0) == pytest.approx(50.0)  # clocks differ a little: never more than all


def test_all_processors_count_and_their_parts_do_not(tmp_path):
    machine = Machine(tmp_path, packages=2)
    counter = machine.counter()
    machine.energy(10.0, 0)
    machine.energy(20.0, 1)
    machine.work(1.0)
    assert counter.read(1.0) == pytest.approx(30.0)


def test_a_counter_that_is_full_begins_again(tmp_path):
    machine = Machine(tmp_path)
    machine.energy(990.0)
    counter = machine.counter()
    machine.energy(5.0)
    machine.work(1.0)
    assert counter.read(1.0) == pytest.approx(15.0)


def test_without_counters_and_when_they_go_away_nothing_is_measured(tmp_path):
    assert not EnergyCounter(tmp_path / 'none', tmp_path / 'none').readable
    assert EnergyCounter(tmp_path / 'none', tmp_path / 'none').read(1.0) is None
    machine = Machine(tmp_path)
    counter = machine.counter()
    (machine.package(0) / 'energy_uj').unlink()
    assert counter.read(1.0) is None and not counter.readable
