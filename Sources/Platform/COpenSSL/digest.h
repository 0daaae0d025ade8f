// SHA-256 and HMAC-SHA-256 as plain values: states live where the caller keeps them, are copied by assignment and
// allocate nothing. OpenSSL's EVP layer allocates a context and looks an algorithm up for each message, which costs
// more than hashing a small file does; its older calls do not, and reach the same SHA-NI code.
#ifndef C_OPENSSL_DIGEST_H
#define C_OPENSSL_DIGEST_H

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// A digest as four big-endian words in host order, ready for comparison.
struct digest_words {
    uint64_t first, second, third, fourth;
};

/// The states of HMAC after its inner and its outer pad (RFC 2104, section 4).
struct digest_key {
    SHA256_CTX inner, outer;
};

enum { digest_size = 32, digest_block_size = 64 };

static inline uint64_t digest_load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return __builtin_bswap64(word);
}

static inline void digest_store_word(uint8_t *bytes, uint64_t word) {
    word = __builtin_bswap64(word);
    memcpy(bytes, &word, sizeof word);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the byte swaps above suppose a little-endian machine");

static inline struct digest_words digest_from_bytes(const uint8_t *bytes) {
    return (struct digest_words){digest_load(bytes), digest_load(bytes + 8), digest_load(bytes + 16),
                                 digest_load(bytes + 24)};
}

static inline void digest_to_bytes(uint8_t *bytes, struct digest_words digest) {
    digest_store_word(bytes, digest.first);
    digest_store_word(bytes + 8, digest.second);
    digest_store_word(bytes + 16, digest.third);
    digest_store_word(bytes + 24, digest.fourth);
}

static inline struct digest_words digest_finish(SHA256_CTX *state) {
    uint8_t out[digest_size];
    SHA256_Final(out, state);
    return digest_from_bytes(out);
}

static inline struct digest_words digest_hash(const void *bytes, size_t count) {
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, bytes, count);
    return digest_finish(&state);
}

static inline void digest_key_prepare(struct digest_key *key, const void *bytes, size_t count) {
    uint8_t block[digest_block_size] = {0};
    uint8_t pad[digest_block_size];
    if (count > digest_block_size) {
        digest_to_bytes(block, digest_hash(bytes, count));
    } else if (count > 0) {
        memcpy(block, bytes, count);
    }
    for (int i = 0; i < digest_block_size; i++) pad[i] = block[i] ^ 0x36;
    SHA256_Init(&key->inner);
    SHA256_Update(&key->inner, pad, digest_block_size);
    for (int i = 0; i < digest_block_size; i++) pad[i] = block[i] ^ 0x5c;
    SHA256_Init(&key->outer);
    SHA256_Update(&key->outer, pad, digest_block_size);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(pad, sizeof pad);
}

static inline struct digest_words digest_authenticate(const struct digest_key *key, const void *bytes, size_t count) {
    uint8_t inner_digest[digest_size];
    SHA256_CTX state = key->inner;
    SHA256_Update(&state, bytes, count);
    SHA256_Final(inner_digest, &state);
    state = key->outer;
    SHA256_Update(&state, inner_digest, digest_size);
    return digest_finish(&state);
}

/// Authenticates the 32 bytes that `message` stands for.
static inline struct digest_words digest_authenticate_words(const struct digest_key *key, struct digest_words message) {
    uint8_t bytes[digest_size];
    digest_to_bytes(bytes, message);
    return digest_authenticate(key, bytes, sizeof bytes);
}

/// Overwrites a key so that the compiler cannot leave it out.
static inline void digest_key_erase(struct digest_key *key) { OPENSSL_cleanse(key, sizeof *key); }

#endif
