// Carries out assignments; serves the site's vault to its peer.
