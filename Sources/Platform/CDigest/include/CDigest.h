// SHA-256 and HMAC-SHA-256 as plain values: states live where the caller keeps them, are copied by assignment and
// allocate nothing. OpenSSL's EVP layer allocates a context and looks an algorithm up for each message, which costs
// more than hashing a small file does; its older calls do not, and reach the same SHA-NI code.
#ifndef C_DIGEST_H
#define C_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/// A digest as four big-endian words in host order, ready for comparison.
struct digest_words {
    uint64_t first, second, third, fourth;
};

/// An unfinished SHA-256; the layout is OpenSSL's `SHA256_CTX`.
struct digest_state {
    uint64_t storage[14];
};

/// The states of HMAC after its inner and its outer pad (RFC 2104, section 4).
struct digest_key {
    struct digest_state inner, outer;
};

struct digest_words digest_hash(const void *bytes, size_t count);

void digest_begin(struct digest_state *state);
void digest_update(struct digest_state *state, const void *bytes, size_t count);
struct digest_words digest_finish(struct digest_state *state);

void digest_key_prepare(struct digest_key *key, const void *bytes, size_t count);
struct digest_words digest_authenticate(const struct digest_key *key, const void *bytes, size_t count);
/// Authenticates the 32 bytes that `message` stands for.
struct digest_words digest_authenticate_words(const struct digest_key *key, struct digest_words message);
/// Overwrites a key so that the compiler cannot leave it out.
void digest_key_erase(struct digest_key *key);

#endif
