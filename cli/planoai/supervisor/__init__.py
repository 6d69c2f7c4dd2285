"""Supervision: one daemon per home starts the processes of a gateway, watches them, restarts them and stops them."""
