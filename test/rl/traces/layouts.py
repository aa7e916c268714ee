"""Folders as the five community layouts have them, with steps that a test can count."""

import io
import json
import tarfile

import numpy as np

COLUMNS = ('episode', 'steps', 'X', 'Y', 'yaw', 'steer', 'throttle', 'action', 'reward', 'done',
           'all_wheels_on_track', 'progress', 'closest_waypoint', 'track_len', 'tstamp',
           'episode_status', 'pause_duration', 'obstacle_crash_counter', 'wall_clock')
METADATA = {
    'action_space': [{'steering_angle': -30.0, 'speed': 1.0, 'index': 0},
                     {'steering_angle': 30.0, 'speed': 1.0, 'index': 1}],
    'sensor': ['FRONT_FACING_CAMERA'], 'neural_network': 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW',
    'version': '4', 'training_algorithm': 'clipped_ppo', 'action_space_type': 'discrete',
}
HYPERPARAMETERS = {'num_episodes_between_training': 3, 'lr': 0.0003}
NEW = '2024-05-06T07_08_09.123Z'


def rows(episodes, *, seed=0, action='1', wall=True, columns=19):
    """Lines of whole episodes, the first of two waypoints a step."""
    random, lines, time_s = np.random.default_rng(seed), [], 10.0 * (seed + 1)
    for episode in episodes:
        count = int(random.integers(4, 9))
        for step in range(1, count + 1):
            last, time_s = step == count, time_s + 0.0667
            progress = 100.0 * (step - 1) / (count - 1) if episode % 2 else 5.0 * step
            status = ('prepare' if step == 1 else 'in_progress' if not last else
                      'lap_complete' if episode % 2 else 'off_track')
            line = (episode, step, round(random.normal(), 4), round(random.normal(), 4),
                    round(random.uniform(-180, 180), 4), 30.0, 1.0, action,
                    round(random.uniform(0, 2), 4), last, True, round(progress, 4), step, 17.71,
                    round(time_s, 3), status, 0.0, 0, round(1.7e9 + time_s, 4))
            lines.append(','.join(map(str, line[:columns])))
    return lines


def joined(iterations):
    """Lines of all, one after another."""
    return [line for lines in iterations for line in lines]


def table(lines, columns=19):
    return ('\n'.join((','.join(COLUMNS[:columns]), *lines)) + '\n').encode()


def log(lines, prefix=''):
    head = (f'{prefix} * /WORLD_NAME: reinvent_base\n'
            f'{prefix}Using the following hyper-parameters\n'
            + ''.join(f'{prefix}{line}\n' for line in
                      json.dumps(HYPERPARAMETERS, indent=2).splitlines())
            + f'{prefix}Loaded action space from file: {json.dumps(METADATA["action_space"])}\n'
            f"{prefix}Sensor list ['FRONT_FACING_CAMERA'], network X, simapp_version 4.0\n")
    body = ''
    for line in lines:
        if ',in_progress,' in line:
            body += f'{prefix}fast\n'
        body += f'{prefix}SIM_TRACE_LOG:{line}\n'
    return (head + body).encode()


def descriptions():
    return {'model/model_metadata.json': json.dumps(METADATA).encode(),
            'ip/hyperparameters.json': json.dumps(HYPERPARAMETERS).encode()}


def console():
    """All episodes in the log; every second iteration as a table."""
    every = [rows(range(3 * k, 3 * k + 3), seed=k) for k in range(4)]
    evaluation = rows(range(3), seed=9)
    identity = '20240506070809-AbCdEf123'
    return {
        **descriptions(),
        **{f'sim-trace/training/training-simtrace/{k}-iteration.csv': table(every[k])
           for k in (0, 2)},
        f'sim-trace/evaluation/{identity}/evaluation-simtrace/0-iteration.csv': table(evaluation),
        f'logs/training/training-{identity}-robomaker.log': log(joined(every)),
        f'logs/evaluation/evaluation-{identity}-robomaker.log': log(evaluation),
    }


def solution():
    every = [rows(range(3 * k, 3 * k + 3), seed=k) for k in range(3)]
    evaluation, prefix = rows(range(2), seed=9), '[simulation_worker.launch.py-1] '
    return {
        **descriptions(),
        **{f'sim-trace/training/{NEW}/training-simtrace/{k}-iteration.csv': table(lines)
           for k, lines in enumerate(every)},
        f'sim-trace/evaluation/{NEW}/evaluation-simtrace/0-iteration.csv': table(evaluation),
        'logs/training/abc123-simulation.log': log(joined(every), prefix),
        'logs/evaluation/abc123-simulation.log': log(evaluation, prefix),
    }


def drfc():
    return {
        **descriptions(),
        **{f'training-simtrace/{k}-iteration.csv': table(rows(range(3 * k, 3 * k + 3), seed=k))
           for k in range(3)},
        **evaluations(),
    }


def drfc_workers():
    """Three episodes of the first worker and two of the second in each iteration."""
    return {
        **descriptions(),
        **{f'{worker}/training-simtrace/{k}-iteration.csv':
           table(rows(range(count * k, count * k + count), seed=10 * k + worker))
           for k in range(3) for worker, count in ((0, 3), (1, 2))},
        **evaluations(),
    }


def drfc_upload():
    return {**descriptions(), **evaluations()}


def evaluations():
    return {f'evaluation-2024050607080{k}/evaluation-simtrace/0-iteration.csv':
            table(rows(range(3), seed=20 + k)) for k in range(2)}


LAYOUTS = {'console': console, 'solution': solution, 'drfc': drfc, 'drfc-workers': drfc_workers,
           'drfc-upload': drfc_upload}


def unpacked(files, folder):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def packed(files, path, wrapper='run/'):
    with tarfile.open(path, 'w:gz') as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(wrapper + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path
