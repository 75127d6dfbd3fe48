"""The guide's walk-through on the local stack, printed as a person would type it."""
