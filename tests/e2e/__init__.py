"""Tests of the whole stack, as a user sees it."""
