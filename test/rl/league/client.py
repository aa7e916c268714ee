"""One of several processes that submit to a league and race what waits, all at once.

    python client.py CLIENT CLIENTS SUBMISSIONS RACERS really|pretend BUNDLE…

Prints what it did, a line of JSON each: `submitted` or `raced`.
"""

import json
import sys
from pathlib import Path

from racer_rl.league.clock import now
from racer_rl.league.confined import ConfinedRaces
from racer_rl.league.intake import read_bundle, submit
from racer_rl.league.queue import leased
from racer_rl.league.racing import race_next
from racer_rl.league.ranking import LapFigures
from racer_rl.league.store import open_league
from racer_rl.league.submissions import Outcome, Verdict


def pretended(number):
    """A race without a race: every submission has its own time, many have the same."""
    average_s = 9.0 + (number * 7919 % 37) / 10.0
    return Outcome(verdict=Verdict.RANKED, laps=3, resets=number % 3, figures=LapFigures(
        average_s=average_s, best_s=average_s - 0.5, total_s=3.0 * average_s))


def race_one(league, races):
    if races is not None:
        return race_next(league, races)
    with leased(league) as lease:
        return None if lease is None else lease.conclude(pretended(lease.submission.number))


def tell(what, submission):
    sys.stdout.write(json.dumps({
        'what': what, 'number': submission.number, 'racer': submission.racer,
        'verdict': submission.outcome and submission.outcome.verdict}) + '\n')


def main():
    client, clients, submissions, racers, really, *paths = sys.argv[1:]
    bundles = [read_bundle(Path(path)) for path in paths]
    races = ConfinedRaces() if really == 'really' else None
    with open_league('spring') as league:
        for index in range(int(client), int(submissions), int(clients)):
            racer = league.racer(f'racer {index % int(racers)}')
            tell('submitted', submit(league, racer, bundles[index % len(bundles)], now=now(),
                                     model=f'model {index}'))
            if index % 3 == 0 and (raced := race_one(league, races)):
                tell('raced', raced)
        while raced := race_one(league, races):
            tell('raced', raced)
    if races is not None:
        races.close()


if __name__ == '__main__':
    main()
