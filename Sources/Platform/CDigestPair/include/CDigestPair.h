// SHA-256 (FIPS 180-4) of many messages, two at a time. One message waits for its own last round: sha256rnds2 takes four
// cycles and another could begin after two. Two that have nothing to do with each other fill the gaps.
#ifndef C_DIGEST_PAIR_H
#define C_DIGEST_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A message.
struct digest_piece {
    const void *bytes;
    size_t count;
};

/// A digest as four words, the first byte the highest of the first.
struct digest_pair_result {
    uint64_t words[4];
};

/// Whether this processor has the instructions; without them `digest_pairs` must not be called.
bool digest_pairs_work(void);

/// The digests of `count` messages, into as many results. Before each message stands the byte `prefix`, unless that is
/// negative.
void digest_pairs(const struct digest_piece *pieces, size_t count, int prefix, struct digest_pair_result *results);

#endif
