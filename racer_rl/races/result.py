"""What came of a race, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """What one entrant showed.

    Attributes:
        name: As on the standings.
        identity: `sha256:` and the digest of its policy bundle, or `bot:` and its name.
        status: How its run ended, as in `Status.label`.
        completion: Share of the wanted laps, 0 to 1.
        time_s: Simulated seconds, penalties included, until it ended.
        lap_times_s: Of the completed laps, penalties included.
        lap_clean: Whether each was free of incidents.
        incidents: How often each cause cost a penalty: status label to number.
        overtakes: Bots or cars passed, less those by which it was passed.
        failure: What kept it from driving, e.g. outputs that are no numbers; empty: nothing did.
    """

    name: str
    identity: str
    status: str
    completion: float
    time_s: float
    lap_times_s: tuple[float, ...] = ()
    lap_clean: tuple[bool, ...] = ()
    incidents: dict[str, int] = field(default_factory=dict)
    overtakes: int = 0
    failure: str = ''
