"""The documentation site: what its pages take from elsewhere in the repository, and what they say of the code."""
