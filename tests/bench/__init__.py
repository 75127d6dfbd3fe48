"""What the deployed stack needs of time and calls."""
