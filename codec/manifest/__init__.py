"""Manifests: documents that reference the instances of a study with their digests (PS3.3 C.17.2.1, PS3.17 W)."""
