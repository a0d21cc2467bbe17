"""Findings and events for systems that collect them (SIEM)."""
