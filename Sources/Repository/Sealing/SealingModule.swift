// Keys, identities, envelopes, authenticated encryption and content ids.
