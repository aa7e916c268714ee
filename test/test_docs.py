"""The documents say what is so: commands parse, links lead somewhere, tables match the code."""

import re
import shlex
from pathlib import Path

import pytest

from racer_rl.cli.main import COMMANDS, run
from racer_rl.reward.library import included_rewards
from racer_rl.reward.loading import load_reward
from racer_rl.reward.params import RewardParams
from racer_rl.training.networks import NETWORKS

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(('README.md', *(f'docs/{path.name}' for path in REPOSITORY.glob('docs/*.md'))))

FENCED = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
INLINE = re.compile(r'(?<!`)`([^`\n]+)`(?!`)')
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
PATH = re.compile(r'(?:racer_\w+|docs|test|benchmarks)/[\w/.]*')
PRIVATE = re.compile(r'(?:^|[\s`(])/(?:work|home/(?!you/)|root|tmp)/|https?://', re.MULTILINE)


def text_of(document):
    return (REPOSITORY / document).read_text('utf-8')


def command_lines(document):
    """Every line after a `$ racer` prompt, and every piece of code that names a command."""
    text = text_of(document)
    lines = [line.removeprefix('$ ') for _, block in FENCED.findall(text)
             for line in block.splitlines() if line.startswith('$ racer ')]
    prose = FENCED.sub('', text)
    return lines + [code for code in INLINE.findall(prose) if code.startswith('racer ')]


def table_after(document, heading):
    """Cells of the first table below a heading, without its two rows of heading."""
    section = text_of(document).partition(f'\n{heading}\n')[2].partition('\n## ')[0]
    table = re.search(r'(?:^\|.*\n)+', section, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in row.strip('|').split('|')] for row in table[2:]]


def anchors(document):
    """What `#` links can name: headings as GitHub spells them."""
    headings = re.findall(r'^#+ (.+)$', FENCED.sub('', text_of(document)), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize(('document', 'line'), [
    (document, line) for document in DOCUMENTS for line in dict.fromkeys(command_lines(document))
])
def test_commands_parse(document, line, capsys):
    # Unknown commands and options are refused before --help gets its turn.
    assert run([*shlex.split(line)[1:], '--help']) == 0, capsys.readouterr().err


def test_readme_shows_every_command():
    shown = {shlex.split(line)[1] for line in command_lines('README.md')}
    assert set(COMMANDS) - shown == {'demo'}, 'make race is how people meet the demo'


@pytest.mark.parametrize('document', DOCUMENTS)
def test_links_lead_somewhere(document):
    folder = (REPOSITORY / document).parent
    for link in LINK.findall(text_of(document)):
        file, _, anchor = link.partition('#')
        target = (folder / file).resolve() if file else REPOSITORY / document
        assert target.exists(), f'{document}: {link}'
        if anchor:
            name = target.relative_to(REPOSITORY).as_posix()
            assert anchor in anchors(name), f'{document}: {link}'


@pytest.mark.parametrize('document', DOCUMENTS)
def test_named_files_exist(document):
    prose = FENCED.sub('', text_of(document))
    for code in INLINE.findall(prose):
        if PATH.fullmatch(code):
            assert (REPOSITORY / code).exists(), f'{document}: {code}'


@pytest.mark.parametrize('document', DOCUMENTS)
def test_no_addresses_and_nobodys_folders(document):
    assert PRIVATE.search(text_of(document)) is None


def test_every_picture_is_shown_and_small():
    shown = {Path(link).name for document in DOCUMENTS for link in LINK.findall(text_of(document))}
    for picture in (REPOSITORY / 'docs/images').iterdir():
        assert picture.name in shown
        assert picture.stat().st_size < 200_000


def test_reward_table_has_every_key():
    keys = [row[0].strip('`') for row in table_after('README.md', '## The reward dictionary')]
    assert keys == list(RewardParams.__annotations__)


def test_network_table_is_the_catalogue():
    rows = {name.strip('`'): (image, weights)
            for name, image, weights, _ in table_after('README.md', '## Networks')}
    assert rows == {name: (f'{spec.width_px}x{spec.height_px}', f'{weights_of(spec):,}')
                    for name, spec in NETWORKS.items()}


def weights_of(spec):
    torso = spec.build(1, spec.height_px, spec.width_px)
    return sum(weights.numel() for weights in torso.parameters())


def test_reward_functions_are_all_listed():
    rows = table_after('docs/rewards.md', '## The included ones')
    assert {row[0].strip('`') for row in rows} == set(included_rewards())


def test_track_list_is_what_the_command_prints(racer_home, monkeypatch, capsys):
    monkeypatch.setenv('COLUMNS', '100')
    assert run(['tracks', 'list']) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    blocks = [block.splitlines() for kind, block in FENCED.findall(text_of('docs/tracks.md'))
              if kind == 'text']
    assert printed in blocks


def test_readme_reward_function_is_a_reward_function(tmp_path):
    code = next(block for kind, block in FENCED.findall(text_of('README.md')) if kind == 'python')
    (tmp_path / 'my_reward.py').write_text(code)
    reward = load_reward(tmp_path / 'my_reward.py')
    on_centre = {'all_wheels_on_track': True, 'distance_from_center': 0.0, 'track_width': 1.0,
                 'speed': 2.0}
    assert reward(on_centre) == pytest.approx(2.0)
    assert reward({**on_centre, 'distance_from_center': 0.5}) == pytest.approx(1.0)
    assert reward({**on_centre, 'all_wheels_on_track': False}) == 0.0
