"""The Helm charts of deploy/charts: what they render, and what becomes of it on a real API server."""
