"""A race day and a car's own nodes: it drives while somebody looks after it, or else stands."""

import http.client
import json
import math
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry

from racer_rl.league.clock import now
from racer_rl.league.divisions import Divisions
from racer_rl.league.ranking import Measure, Ranking
from racer_rl.league.seasons import open_race
from racer_rl.league.store import create_league, open_league
from racer_rl.league.terms import Conditions, RaceTerms
from racer_rl.nodes.track_car import TrackCar
from racer_rl.race_day.day import Entry, Phase
from racer_rl.race_day.events import Act
from racer_rl.race_day.host import ALONE_S
from racer_rl.races.plan import RacePlan
from racer_sim.nodes.race_control_node import RaceControlNode
from racer_sim.rules import RaceRules
from racer_sim.starting_grid import one_course
from racer_vehicle.contract import OPERATOR_STALE_S
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.inference_node import InferenceNode
from racer_vehicle.nodes.messages import twist_message
from racer_vehicle.nodes.motor_node import MotorNode
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

pytestmark = pytest.mark.ros

CAR = CarSpec()
COMMAND = DriveCommand(steering_rad=0.1, speed_mps=1.0)
SLACK_S = 0.5
"""A shared test machine may not run others at once."""

LONGEST_TURN_S = 0.05
"""Of the loop that serves a graph; a longer one was a stall."""

TRACK = one_course('pebble', 'forward').track
ADA = Entry(number=1, racer='Ada')
PROGRAM = 'import typer; from racer_rl.cli.race_day import race_day; typer.run(race_day)'


class Motor:
    """A motor node, the commands of a policy, and what the wheels do.

    The node is of this process: `ran_s` does not count what this process stood still, in which
    no deadline can be kept.
    """

    def __init__(self, graph):
        self.graph = graph
        graph.add(MotorNode, driver='simulated')
        self.heard = []
        ros.subscription(graph.probe, 'sim/cmd_vel', self._note)
        self._policy = graph.publisher('cmd_vel')
        self._clock, self._sent_s = ros.ros_clock(graph.probe), 0.0
        self.ran_s, self._looked_s = 0.0, time.monotonic()

    def _note(self, message):
        self.heard.append((time.monotonic(), message.twist != Twist()))

    def drive(self):
        """Send a command, at the rate of a policy."""
        if time.monotonic() - self._sent_s > CONTROL_PERIOD_S / 2:
            self._sent_s = time.monotonic()
            self._policy.publish(twist_message(COMMAND, CAR.wheelbase_m,
                                               ros.to_stamp(self._clock()), 'base_link'))

    @property
    def moves(self):
        return bool(self.heard) and self.heard[-1][1]

    def until(self, condition, what):
        def driven():
            now_s = time.monotonic()
            self.ran_s += min(now_s - self._looked_s, LONGEST_TURN_S)
            self._looked_s = now_s
            self.drive()
            return condition()
        return self.graph.until(driven, what)

    def until_told(self, do, *values):
        """Let somebody do something in another thread, while the graph goes on."""
        raised = []

        def told():
            try:
                do(*values)
            except Exception as error:  # noqa: BLE001 - to be raised where it can be seen
                raised.append(error)

        thread = threading.Thread(target=told)
        thread.start()
        self.until(lambda: not thread.is_alive(), f'{do} is done')
        if raised:
            raise raised[0]

    def stands_for(self, seconds):
        end_s = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end_s, 'time passes')
        return not any(moving for at_s, moving in self.heard if at_s > end_s - seconds / 2)


class Ear:
    """What a source says."""

    def __init__(self):
        self.events, self.troubles = [], []

    def happened(self, event):
        self.events.append(event)

    def trouble(self, text):
        self.troubles.append(text)


@pytest.fixture
def motor(graph):
    return Motor(graph)


@pytest.fixture
def car(motor, toy):
    bundle = toy(model='fast')
    car = TrackCar(lambda entry: bundle, one_course('pebble', 'forward'), by_hand=True)
    car.bundle = bundle
    try:
        yield car
    finally:
        motor.until_told(car.close)


def beating(car, condition):
    def beats():
        car.beat()
        return condition()
    return beats


def test_a_car_drives_while_it_is_looked_after(motor, car):
    assert motor.stands_for(0.5)
    motor.until_told(car.start, ADA, Ear())
    motor.until(beating(car, lambda: motor.moves), 'it drives')
    motor.until_told(car.hold)
    assert motor.stands_for(0.3)
    motor.until_told(car.release)
    motor.until(beating(car, lambda: motor.moves), 'it drives on')
    since_s = motor.ran_s  # no sign of life from here on
    motor.until(lambda: not motor.moves, 'it stands by itself')
    assert motor.ran_s - since_s < OPERATOR_STALE_S + SLACK_S
    assert motor.stands_for(0.3)
    motor.until_told(car.stop)


def test_the_policy_of_the_entry_is_on_the_car_before_it_starts(graph, motor, car):
    graph.add(InferenceNode)
    ada = Entry(number=1, racer='Ada', model='fast', identity=f'sha256:{car.bundle.sha256}')
    motor.until_told(car.prepare, ada)
    assert car._active['sha256'] == car.bundle.sha256
    motor.until_told(car.start, ada, Ear())
    motor.until(beating(car, lambda: motor.moves), 'it drives')


RULES = RaceRules(laps=2, resets=3, off_track_penalty_s=0.2)


class Carried:
    """A car that is carried round the track by hand, and race control that judges it."""

    def __init__(self, graph, motor):
        self.graph, self.motor = graph, motor
        graph.add(RaceControlNode, track='pebble', laps=2, resets=3, off_track_penalty_s=0.2)
        self.truth, self.places = graph.publisher('sim/odom'), graph.listen('sim/place')
        self.s_m, self.stamp_s = 0.0, 50.0

    def tell(self, step_m=0.0, lateral_m=0.0):
        self.s_m, self.stamp_s = self.s_m + step_m, self.stamp_s + CONTROL_PERIOD_S
        x_m, y_m, yaw_rad = map(float, TRACK.pose_at(self.s_m, lateral_m))
        message = Odometry()
        message.header.stamp, message.header.frame_id = ros.to_stamp(self.stamp_s), 'map'
        message.pose.pose.position.x, message.pose.pose.position.y = x_m, y_m
        message.pose.pose.orientation.z = math.sin(yaw_rad / 2)
        message.pose.pose.orientation.w = math.cos(yaw_rad / 2)
        self.truth.publish(message)
        self.graph.spin_for(0.004)
        self.motor.drive()

    def stand_until(self, condition, what):
        return self.graph.until(lambda: self.tell() or condition(), what)

    def start(self, car, ear):
        self.s_m = 0.0
        starting = threading.Thread(target=car.start, args=(ADA, ear))
        starting.start()
        self.stand_until(lambda: not starting.is_alive(), 'the run has begun')

    def be_put_back(self):
        """Leave the track, and be put back where race control says."""
        for lateral_m in (0.4, 0.8, 1.2):
            self.tell(0.25, lateral_m)
        seen = len(self.places)
        self.stand_until(lambda: len(self.places) > seen, 'it is put back')
        position = self.places[-1].pose.position
        self.s_m = float(TRACK.project((position.x, position.y)).s_m)


def test_laps_and_incidents_come_from_race_control(graph, motor):
    carried, ear = Carried(graph, motor), Ear()
    car = TrackCar(lambda entry: None, one_course('pebble', 'forward'), by_hand=False,
                   rules=RULES)
    try:
        carried.stand_until(lambda: car._race is not None, 'race control is heard')
        carried.start(car, ear)
        for _ in range(8):
            carried.tell(0.25)
        carried.be_put_back()
        carried.stand_until(lambda: car._race.status == 'in_progress', 'it may go on')
        carried.tell()  # seen where it was put
        for _ in range(round(2 * TRACK.length_m / 0.25)):
            car.beat()
            carried.tell(0.25)
        carried.stand_until(lambda: ear.events[-1].act is Act.END, 'the run is over')
        assert [event.act for event in ear.events] == [
            Act.OFF_TRACK, Act.LAP, Act.LAP, Act.END]
        laps = ear.events[1:3]
        assert [lap.clean for lap in laps] == [False, True]
        assert ear.events[-1].status == 'lap_complete'
        assert ear.events[-1].time_s == pytest.approx(sum(lap.lap_s for lap in laps))
        assert car.live.place_m is not None
    finally:
        motor.until_told(car.close)
    assert not motor.moves


@pytest.mark.parametrize(('rules', 'course', 'said'), [
    (RaceRules(laps=3, resets=3), ('pebble', 'forward'), 'laps 2 and not 3, off_track_penalty_s'),
    (RULES, ('oval', 'reverse'), 'track pebble and not oval, direction forward and not reverse'),
])
def test_race_control_of_other_rules_is_refused(graph, motor, rules, course, said):
    carried = Carried(graph, motor)
    car = TrackCar(lambda entry: None, one_course(*course), by_hand=False, rules=rules)
    try:
        carried.stand_until(lambda: car._race is not None, 'race control is heard')
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(car.start, ADA, Ear())
            carried.stand_until(starting.done, 'it has decided')
        with pytest.raises(ConfigError, match=f'race control has {said}.*Start it so: ros2 run'):
            starting.result()
    finally:
        motor.until_told(car.close)
    assert not motor.moves


def test_a_car_that_is_carried_away_ends_its_run(graph, motor):
    carried, ear = Carried(graph, motor), Ear()
    car = TrackCar(lambda entry: None, one_course('pebble', 'forward'), by_hand=False)
    try:
        carried.stand_until(lambda: car._race is not None, 'race control is heard')
        carried.start(car, ear)
        for _ in range(4):
            carried.tell(0.25)
        carried.s_m = 6.0
        carried.stand_until(lambda: ear.troubles, 'it is told')
        assert ear.events[-1].act is Act.END and ear.events[-1].status == 'park'
        assert 'carried the car' in ear.troubles[-1]
    finally:
        motor.until_told(car.close)


class Day:
    """`racer race day --ros --manual` in a process of its own, and its organiser."""

    def __init__(self, graph, motor):
        self.motor = motor
        command = [sys.executable, '-c', PROGRAM, '--league', 'club', '--ros', '--manual',
                   '--json', '--port', '0']
        self.process = graph.run(command)
        line = graph.until(lambda: '\n' in self.process.output and next(
            (line for line in self.process.output.splitlines() if line.startswith('{')), None),
            'race day says where it is')
        address, _, self.token = json.loads(line)['control'].partition('/control#')
        self.address = address.removeprefix('http://')

    def post(self, path, **content):
        connection = http.client.HTTPConnection(self.address, timeout=120.0)
        connection.request('POST', path, json.dumps(content), {'X-Racer-Token': self.token})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status == 200, said

    def start(self):
        for act in ('call', 'start'):
            self.motor.until_told(lambda act=act: self.post('/act', act=act))
        self.motor.until(lambda: self.motor.moves, 'the car drives')


@pytest.fixture
def day(graph, motor, tmp_path, monkeypatch):
    monkeypatch.setenv('RACER_HOME', str(tmp_path / 'home'))
    create_league('club', Divisions(), now())
    with open_league('club') as league:
        plan = RacePlan(track='pebble', rules=RaceRules(laps=2, resets=3))
        open_race(league, RaceTerms(plan=plan, ranking=Ranking(by=Measure.BEST)), Conditions(),
                  now=now())
        league.join('Ada', now())
    return Day(graph, motor)


@pytest.mark.slow
def test_whatever_happens_to_race_day_the_car_stands(day, motor):
    day.start()
    day.motor.until_told(lambda: day.post('/act', act='end'))
    assert motor.stands_for(0.4)
    day.motor.until_told(lambda: day.post('/act', act='reset'))
    day.motor.until_told(lambda: day.post('/act', act='start'))
    motor.until(lambda: motor.moves, 'it drives again')
    since_s = motor.ran_s  # the browser is gone
    motor.until(lambda: not motor.moves, 'it stands without a control page')
    assert motor.ran_s - since_s < ALONE_S + 1.0 + SLACK_S
    day.motor.until_told(lambda: day.post('/act', act='release'))
    motor.until(lambda: motor.moves, 'it drives on')
    day.process.send(signal.SIGKILL)
    since_s = motor.ran_s
    motor.until(lambda: not motor.moves, 'it stands without race day')
    assert motor.ran_s - since_s < OPERATOR_STALE_S + SLACK_S
    assert motor.stands_for(0.4)


@pytest.mark.slow
def test_ctrl_c_stops_the_car_and_keeps_the_run(day, graph, motor):
    day.start()
    day.motor.until_told(lambda: day.post('/act', act='off-track'))
    day.process.send(signal.SIGINT)
    motor.until(lambda: not day.process.is_running(), 'race day has ended')
    assert not motor.moves and day.process.wait() == 0
    assert motor.stands_for(0.3)
    from racer_rl.race_day.board import LeagueBoard
    from racer_rl.race_day.host import RaceDay
    from racer_rl.race_day.journal import opened
    from racer_rl.race_day.sources import ByHand

    board = LeagueBoard('club', None, 'by hand')
    with opened(board.journal) as journal:
        again = RaceDay(board, journal, ByHand())
        assert again.day.phase is Phase.RUNNING and again.day.run.incidents == {'off_track': 1}
