"""The `racer` command: exit codes, one-line errors, and listings that import nothing heavy."""

import subprocess
import sys

import pytest
import typer

from racer_rl.cli.main import COMMANDS, run
from racer_vehicle.errors import ConfigError

HELP_IMPORTS = """
import sys
from racer_rl.cli.main import run
code = run(['--help'])
print('heavy:', sorted({'torch', 'numba', 'numpy', 'matplotlib', 'cv2'} & set(sys.modules)))
sys.exit(code)
"""


def failing(error: BaseException) -> typer.Typer:
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @application.command()
    def fail() -> None:
        raise error

    return application


def test_racer_error_is_one_line_and_two(capsys):
    code = run([], failing(ConfigError('speed is 9;\n  allowed: 0 to 4.')))
    assert code == 2
    assert capsys.readouterr() == ('', 'error: speed is 9; allowed: 0 to 4.\n')


def test_interrupt_is_130(capsys):
    assert run([], failing(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ('', '')


def test_declining_is_1(capsys):
    assert run([], failing(typer.Abort())) == 1
    assert capsys.readouterr().err == 'stopped.\n'


def test_command_may_set_its_own_code():
    assert run([], failing(typer.Exit(7))) == 7


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run([], failing(ZeroDivisionError('a bug')))


@pytest.mark.parametrize(('arguments', 'message'), [
    (['fly'], "error: No such command 'fly'. See: racer --help\n"),
    (['--fly'], 'error: No such option: --fly. See: racer --help\n'),
])
def test_usage_error_is_one_line_and_two(arguments, message, capsys):
    assert run(arguments) == 2
    assert capsys.readouterr() == ('', message)


def test_no_arguments_show_the_help(capsys):
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert 'Usage: racer' in out
    assert err == ''


def test_help_lists_commands_without_importing_them(repository):
    result = subprocess.run([sys.executable, '-c', HELP_IMPORTS], cwd=repository, timeout=60,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout for name in COMMANDS)
    assert result.stdout.endswith('heavy: []\n')


@pytest.mark.parametrize('name', COMMANDS)
def test_every_listed_command_explains_itself(name, capsys):
    assert run([name, '--help']) == 0
    out = capsys.readouterr().out
    assert f'Usage: racer {name}' in out
    assert '--install-completion' not in out
