"""The upstream Gateway API conformance suite on the local stack."""
