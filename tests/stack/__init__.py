"""Trellis on one machine: real API servers, a local AWS, the VPC Lattice emulator, the built functions and webhooks.

Everything listens on loopback, on free ports, and keeps its files in one state folder. See `python -m stack --help`.
"""
