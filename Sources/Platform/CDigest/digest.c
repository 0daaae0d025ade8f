#define OPENSSL_SUPPRESS_DEPRECATED
#include "CDigest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(struct digest_state) == sizeof(SHA256_CTX), "digest_state mirrors SHA256_CTX");
_Static_assert(_Alignof(struct digest_state) >= _Alignof(SHA256_CTX), "digest_state mirrors SHA256_CTX");

enum { digest_size = 32, block_size = 64 };

static SHA256_CTX *context(struct digest_state *state) { return (SHA256_CTX *)state->storage; }

static uint64_t load_big_endian(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return __builtin_bswap64(word);
}

static void store_big_endian(uint8_t *bytes, uint64_t word) {
    word = __builtin_bswap64(word);
    memcpy(bytes, &word, sizeof word);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the byte swaps above suppose a little-endian machine");

static struct digest_words words(const uint8_t *bytes) {
    return (struct digest_words){load_big_endian(bytes), load_big_endian(bytes + 8), load_big_endian(bytes + 16),
                                 load_big_endian(bytes + 24)};
}

static void store(uint8_t *bytes, struct digest_words digest) {
    store_big_endian(bytes, digest.first);
    store_big_endian(bytes + 8, digest.second);
    store_big_endian(bytes + 16, digest.third);
    store_big_endian(bytes + 24, digest.fourth);
}

void digest_begin(struct digest_state *state) { SHA256_Init(context(state)); }

void digest_update(struct digest_state *state, const void *bytes, size_t count) {
    SHA256_Update(context(state), bytes, count);
}

struct digest_words digest_finish(struct digest_state *state) {
    uint8_t out[digest_size];
    SHA256_Final(out, context(state));
    return words(out);
}

struct digest_words digest_hash(const void *bytes, size_t count) {
    struct digest_state state;
    digest_begin(&state);
    digest_update(&state, bytes, count);
    return digest_finish(&state);
}

void digest_key_prepare(struct digest_key *key, const void *bytes, size_t count) {
    uint8_t block[block_size] = {0};
    uint8_t pad[block_size];
    if (count > block_size) {
        store(block, digest_hash(bytes, count));
    } else if (count > 0) {
        memcpy(block, bytes, count);
    }
    for (int i = 0; i < block_size; i++) pad[i] = block[i] ^ 0x36;
    digest_begin(&key->inner);
    digest_update(&key->inner, pad, block_size);
    for (int i = 0; i < block_size; i++) pad[i] = block[i] ^ 0x5c;
    digest_begin(&key->outer);
    digest_update(&key->outer, pad, block_size);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(pad, sizeof pad);
}

struct digest_words digest_authenticate(const struct digest_key *key, const void *bytes, size_t count) {
    uint8_t inner_digest[digest_size];
    struct digest_state state = key->inner;
    digest_update(&state, bytes, count);
    SHA256_Final(inner_digest, context(&state));
    state = key->outer;
    digest_update(&state, inner_digest, digest_size);
    return digest_finish(&state);
}

struct digest_words digest_authenticate_words(const struct digest_key *key, struct digest_words message) {
    uint8_t bytes[digest_size];
    store(bytes, message);
    return digest_authenticate(key, bytes, sizeof bytes);
}

void digest_key_erase(struct digest_key *key) { OPENSSL_cleanse(key, sizeof *key); }
