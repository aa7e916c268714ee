"""The file of a league: who joined, what came in and what came of it, shared by all processes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from racer_rl.database import Database, Schema

FILE: Final = 'league.sqlite'

_PATIENCE_S: Final = 60.0
"""Thirty laptops write at once when a race is about to close."""

_SCHEMA: Final = Schema(
    name="the league's file",
    versions=((
        """CREATE TABLE league (
            only INTEGER PRIMARY KEY CHECK (only = 1), created TEXT NOT NULL,
            divisions TEXT NOT NULL)""",
        'CREATE TABLE season (number INTEGER PRIMARY KEY, began TEXT NOT NULL, ended TEXT)',
        """CREATE TABLE race (
            number INTEGER PRIMARY KEY, season INTEGER NOT NULL REFERENCES season,
            title TEXT NOT NULL, terms TEXT NOT NULL, conditions TEXT NOT NULL,
            opens TEXT NOT NULL, closes TEXT NOT NULL, closed TEXT NOT NULL)""",
        """CREATE TABLE racer (
            key TEXT PRIMARY KEY, name TEXT NOT NULL, joined TEXT NOT NULL,
            division TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE submission (
            number INTEGER PRIMARY KEY, race INTEGER NOT NULL REFERENCES race,
            racer TEXT NOT NULL, division TEXT NOT NULL, model TEXT NOT NULL,
            model_id TEXT NOT NULL, bundle TEXT NOT NULL, submitted TEXT NOT NULL,
            state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, verdict TEXT,
            reason TEXT NOT NULL DEFAULT '', average_s REAL, best_s REAL, total_s REAL,
            laps INTEGER NOT NULL DEFAULT 0, resets INTEGER NOT NULL DEFAULT 0,
            collisions INTEGER NOT NULL DEFAULT 0, off_tracks INTEGER NOT NULL DEFAULT 0)""",
        'CREATE INDEX submission_by_race ON submission (race, racer)',
        "CREATE INDEX submission_open ON submission (number) WHERE state <> 'done'",
    ),),
    if_damaged='restore the folder of the league from a copy')


def open_database(folder: Path, *, make: bool = False) -> Database:
    """The file of the league in a folder.

    Raises:
        DatabaseError: It cannot be used.
    """
    return Database(folder / FILE, _SCHEMA, patience_s=_PATIENCE_S, make=make)
