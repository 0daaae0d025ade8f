// The backup format: frames, packs, index, manifests and the log that decides. FORMAT.md is its specification.
