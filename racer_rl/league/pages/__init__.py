"""Standings as pages that need no server: one folder to be copied, opened or printed."""
