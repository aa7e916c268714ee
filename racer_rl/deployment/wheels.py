"""Wheels for a car: racer's own, those of this machine, and those of another kind of machine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from racer_vehicle.errors import RacerError

NEEDED: Final = ('cryptography', 'numpy', 'onnxruntime', 'opencv-python-headless', 'typer')
"""What racer needs on a car, beside ROS 2. No torch."""

PLATFORMS: Final = {'linux-aarch64': 'aarch64', 'linux-x86_64': 'x86_64'}
"""Kinds of machine that wheels are downloaded for, and what Linux calls them."""

_GLIBC: Final = range(17, 37)
"""Minor versions of the C library that wheels may ask for: Debian 12 and newer have all these."""

COMPRESSION: Final = zipfile.ZIP_DEFLATED
"""Of packed wheels."""

_LEFT_OUT: Final = {'RECORD', 'INSTALLER', 'REQUESTED', 'direct_url.json', 'RECORD.jws'}
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_IGNORED: Final = shutil.ignore_patterns(
    '.*', '__pycache__', 'build', 'dist', '*.egg-info', 'test', 'docs', 'benchmarks')


class PackagingError(RacerError):
    """A wheel for a car cannot be made."""


def racer_wheel(folder: Path) -> Path:
    """The wheel of the racer that runs here.

    From a checkout it is built as a release is; of an installed racer the files are packed again,
    each of which must still be what was installed.

    Args:
        folder: For the wheel; it exists.

    Raises:
        PackagingError: It cannot be made.
    """
    found = _installed('racer')
    source = _checkout(found)
    return _built(source, folder) if source else packed(found, folder)


def own_wheels(folder: Path) -> list[Path]:
    """Wheels of what racer needs on a car, for a car like this machine: packed from here.

    Args:
        folder: For the wheels; it exists.

    Raises:
        PackagingError: Something is missing, or was changed since it was installed.
    """
    return [packed(_installed(name), folder) for name in sorted(_closure(NEEDED))]


def downloaded_wheels(folder: Path, platform: str, python: str) -> list[Path]:
    """Wheels of what racer needs on a car of another kind, in the versions that run here.

    Args:
        folder: For the wheels; it exists.
        platform: Of `PLATFORMS`.
        python: Version of the car's Python, `3.12`.

    Raises:
        PackagingError: pip did not find them, or there is no network.
    """
    machine, version = PLATFORMS[platform], python.replace('.', '')
    tags = ['manylinux2014', *(f'manylinux_2_{minor}' for minor in _GLIBC)]
    command = [
        sys.executable, '-m', 'pip', 'download', '--quiet', '--disable-pip-version-check',
        '--only-binary=:all:', '--dest', str(folder), '--python-version', python,
        '--implementation', 'cp', *(f'--abi={abi}' for abi in (f'cp{version}', 'abi3', 'none')),
        *(f'--platform={tag}_{machine}' for tag in tags),
        *(f'{name}=={_installed(name).version}' for name in NEEDED)]
    _run(command, f'wheels for {platform} and Python {python} could not be downloaded')
    return sorted(folder.glob('*.whl'))


def packed(found: Distribution, folder: Path) -> Path:
    """An installed distribution as the wheel that it came from.

    Args:
        found: It was installed from a wheel.
        folder: For the wheel; it exists.

    Raises:
        PackagingError: It was not installed from a wheel, or a file was changed since.
    """
    name = f'{found.name.replace("-", "_")}-{found.version}'
    files = [file for file in found.files or () if _is_original(file, found)]
    information = next((file.parent for file in files if file.name == 'WHEEL'), None)
    if information is None:
        raise PackagingError(f'{found.name} was not installed from a wheel; allowed: a checkout, '
                             'or pip install; set racer up in a virtual environment.')
    tags = [line.partition(': ')[2] for line in (found.read_text('WHEEL') or '').splitlines()
            if line.startswith('Tag: ')]
    path = folder / f'{name}-{_joined(tags)}.whl'
    record = []
    with zipfile.ZipFile(path, 'w', COMPRESSION, compresslevel=1) as archive:
        for file in sorted(files, key=str):
            place = _place(file, found, name)
            content = _content(file, found)
            archive.writestr(_entry(place, file, found), content)
            record.append(f'{place},sha256={_digest(content)},{len(content)}')
        listing = f'{information}/RECORD'
        text = '\n'.join([*record, f'{listing},,', ''])
        archive.writestr(zipfile.ZipInfo(listing, _DATE), text)
    return path


def _installed(name: str) -> Distribution:
    """An installed distribution; not what a build left in the folder that Python runs in."""
    for found in distributions(name=name):
        if found.read_text('RECORD') is not None:
            return found
    raise PackagingError(f'{name} was not installed by pip; allowed: a checkout set up with make, '
                         'or pip install, in a virtual environment.')


def _checkout(found: Distribution) -> Path | None:
    """Source of an editable installation; None for another."""
    origin = json.loads(found.read_text('direct_url.json') or '{}')
    if not origin.get('dir_info', {}).get('editable'):
        return None
    return Path(unquote(urlparse(origin['url']).path))


def _built(source: Path, folder: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix='racer-wheel-') as name:
        copy = Path(name) / 'racer'
        # A copy, so that no build folder appears in the checkout.
        shutil.copytree(source, copy, ignore=_IGNORED)
        _run([sys.executable, '-m', 'pip', 'wheel', '--quiet', '--disable-pip-version-check',
              '--no-deps', '--no-index', '--no-build-isolation', '--wheel-dir', str(folder),
              str(copy)], 'racer could not be built (pip install "setuptools>=77")')
    return next(folder.glob('racer-*.whl'))


def _run(command: list[str], trouble: str) -> None:
    # The same bytes each time: archives get this date.
    environment = {**os.environ, 'SOURCE_DATE_EPOCH': '315532800'}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()
        raise PackagingError(f'{trouble}: {said[-1] if said else "no reason was given"}')


def _closure(names: tuple[str, ...]) -> set[str]:
    """Distributions and all that they need on this machine."""
    found, waiting = set[str](), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            needed = map(Requirement, _installed(name).requires or ())
            waiting += [one.name for one in needed
                        if one.marker is None or one.marker.evaluate({'extra': ''})]
    return found


def _is_original(file: PackagePath, found: Distribution) -> bool:
    """Whether a file was in the wheel, and not made by installing it."""
    scripts = {entry.name for entry in found.entry_points}
    is_script = file.parent.name == 'bin' and '..' in file.parts and file.name in scripts
    return not (is_script or file.suffix == '.pyc' or file.name in _LEFT_OUT)


def _place(file: PackagePath, found: Distribution, name: str) -> str:
    """Where a file is in the wheel: what lies outside of site-packages is data."""
    if '..' not in file.parts:
        return file.as_posix()
    path = Path(os.path.normpath(str(found.locate_file(file))))
    try:
        outside = path.relative_to(sys.prefix)
    except ValueError:
        raise PackagingError(f'{found.name} has a file outside of its environment: {path}; '
                             'set racer up in a virtual environment.') from None
    return f'{name}.data/data/{outside.as_posix()}'


def _content(file: PackagePath, found: Distribution) -> bytes:
    try:
        content = Path(str(found.locate_file(file))).read_bytes()
    except OSError as error:
        raise PackagingError(f'{found.name} lacks {file}: {error.strerror}; '
                             f'install it again.') from None
    if file.hash is not None and file.hash.value != _digest(content):
        raise PackagingError(f'{file} of {found.name} was changed after it was installed; '
                             'install it again: a car gets only what was released.')
    return content


def _entry(place: str, file: PackagePath, found: Distribution) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(place, _DATE)
    entry.compress_type = COMPRESSION
    mode = Path(str(found.locate_file(file))).stat().st_mode
    entry.external_attr = (0o100755 if mode & 0o111 else 0o100644) << 16
    return entry


def _digest(content: bytes) -> str:
    """As a wheel's RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()


def _joined(tags: list[str]) -> str:
    """Tags as a wheel's name has them: interpreters, ABIs, platforms, each joined by dots."""
    parts = zip(*(tag.split('-') for tag in tags), strict=True)
    return '-'.join('.'.join(dict.fromkeys(part)) for part in parts)
