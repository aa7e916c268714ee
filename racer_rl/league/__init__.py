"""The league: who entered which race with which policy, what it showed there, and who leads."""
