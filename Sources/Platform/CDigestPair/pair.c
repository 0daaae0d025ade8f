#include "CDigestPair.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define with_sha __attribute__((target("sha,sse4.1,ssse3")))

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/// What the instructions want the eight words as: A, B, E, F and C, D, G, H, the first the highest.
struct state {
    __m128i abef, cdgh;
};

struct words {
    __m128i quad[4];
};

bool digest_pairs_work(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

with_sha static inline struct state initial(void) {
    return (struct state){_mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c),
                          _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19)};
}

with_sha static inline struct words load(const uint8_t *block) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct words words;
    for (int i = 0; i < 4; i++) {
        words.quad[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
    }
    return words;
}

/// Four rounds, and the schedule of words as far as it is due. All conditions are known when this is compiled.
with_sha static inline __attribute__((always_inline)) void rounds(struct state *state, struct words *words, int i) {
    __m128i *quad = words->quad;
    __m128i sum = _mm_add_epi32(quad[i % 4], _mm_load_si128((const __m128i *)(constants + 4 * i)));
    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, sum);
    if (i >= 3 && i < 15) {
        __m128i shifted = _mm_alignr_epi8(quad[i % 4], quad[(i + 3) % 4], 4);
        quad[(i + 1) % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(quad[(i + 1) % 4], shifted), quad[i % 4]);
    }
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(sum, 0x0e));
    if (i >= 1 && i < 13) quad[(i + 3) % 4] = _mm_sha256msg1_epu32(quad[(i + 3) % 4], quad[i % 4]);
}

with_sha static inline void add(struct state *state, struct state before) {
    state->abef = _mm_add_epi32(state->abef, before.abef);
    state->cdgh = _mm_add_epi32(state->cdgh, before.cdgh);
}

with_sha static void compress_one(struct state *state, const uint8_t *bytes, size_t blocks) {
    struct state a = *state;
    for (; blocks > 0; blocks--, bytes += 64) {
        struct state before = a;
        struct words words = load(bytes);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) rounds(&a, &words, i);
        add(&a, before);
    }
    *state = a;
}

with_sha static void compress_two(struct state *first, const uint8_t *first_bytes, struct state *second,
                                  const uint8_t *second_bytes, size_t blocks) {
    struct state a = *first, b = *second;
    for (; blocks > 0; blocks--, first_bytes += 64, second_bytes += 64) {
        struct state a_before = a, b_before = b;
        struct words a_words = load(first_bytes), b_words = load(second_bytes);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) {
            rounds(&a, &a_words, i);
            rounds(&b, &b_words, i);
        }
        add(&a, a_before);
        add(&b, b_before);
    }
    *first = a;
    *second = b;
}

/// A message on its way: up to three stretches of whole blocks, of which the first (with a prefix) and the last (with
/// the padding) are put together here.
struct lane {
    struct state state;
    struct {
        const uint8_t *bytes;
        size_t blocks;
    } stretch[3];
    int at;
    uint8_t head[64], tail[128];
    struct digest_pair_result *result;
};

with_sha static void begin(struct lane *lane, struct digest_piece piece, int prefix, struct digest_pair_result *result) {
    const uint8_t *bytes = piece.bytes;
    size_t count = piece.count;
    uint64_t bits = 8 * ((uint64_t)count + (prefix >= 0));
    size_t kept = 0;
    memset(lane->stretch, 0, sizeof lane->stretch);
    lane->state = initial();
    lane->at = 0;
    lane->result = result;
    if (prefix >= 0 && count >= 63) {
        lane->head[0] = (uint8_t)prefix;
        memcpy(lane->head + 1, bytes, 63);
        bytes += 63;
        count -= 63;
        lane->stretch[0].bytes = lane->head;
        lane->stretch[0].blocks = 1;
    } else if (prefix >= 0) {
        lane->tail[0] = (uint8_t)prefix;
        kept = 1;
    }
    lane->stretch[1].bytes = bytes;
    lane->stretch[1].blocks = kept ? 0 : count / 64;
    size_t done = 64 * lane->stretch[1].blocks;
    if (count > done) memcpy(lane->tail + kept, bytes + done, count - done);
    size_t end = kept + count - done;
    size_t blocks = end < 56 ? 1 : 2;
    lane->tail[end] = 0x80;
    memset(lane->tail + end + 1, 0, 64 * blocks - end - 1);
    bits = __builtin_bswap64(bits);
    memcpy(lane->tail + 64 * blocks - 8, &bits, 8);
    lane->stretch[2].bytes = lane->tail;
    lane->stretch[2].blocks = blocks;
}

/// Whether anything is left of the lane's message; if not, its digest stands.
with_sha static bool is_under_way(struct lane *lane) {
    while (lane->at < 3 && lane->stretch[lane->at].blocks == 0) lane->at++;
    if (lane->at < 3) return true;
    uint32_t abef[4], cdgh[4];
    _mm_storeu_si128((__m128i *)abef, lane->state.abef);
    _mm_storeu_si128((__m128i *)cdgh, lane->state.cdgh);
    uint64_t *words = lane->result->words;
    words[0] = (uint64_t)abef[3] << 32 | abef[2];
    words[1] = (uint64_t)cdgh[3] << 32 | cdgh[2];
    words[2] = (uint64_t)abef[1] << 32 | abef[0];
    words[3] = (uint64_t)cdgh[1] << 32 | cdgh[0];
    return false;
}

static void advance(struct lane *lane, size_t blocks) {
    lane->stretch[lane->at].bytes += 64 * blocks;
    lane->stretch[lane->at].blocks -= blocks;
}

with_sha void digest_pairs(const struct digest_piece *pieces, size_t count, int prefix,
                           struct digest_pair_result *results) {
    struct lane lanes[2];
    bool busy[2] = {false, false};
    size_t next = 0;
    for (;;) {
        for (int i = 0; i < 2; i++) {
            if (busy[i] && is_under_way(&lanes[i])) continue;
            busy[i] = next < count;
            if (!busy[i]) continue;
            begin(&lanes[i], pieces[next], prefix, &results[next]);
            is_under_way(&lanes[i]);
            next++;
        }
        if (busy[0] && busy[1]) {
            size_t left = lanes[0].stretch[lanes[0].at].blocks, right = lanes[1].stretch[lanes[1].at].blocks;
            size_t blocks = left < right ? left : right;
            compress_two(&lanes[0].state, lanes[0].stretch[lanes[0].at].bytes, &lanes[1].state,
                         lanes[1].stretch[lanes[1].at].bytes, blocks);
            advance(&lanes[0], blocks);
            advance(&lanes[1], blocks);
        } else if (busy[0] || busy[1]) {
            struct lane *lane = &lanes[busy[0] ? 0 : 1];
            size_t blocks = lane->stretch[lane->at].blocks;
            compress_one(&lane->state, lane->stretch[lane->at].bytes, blocks);
            advance(lane, blocks);
        } else {
            return;
        }
    }
}

#else

bool digest_pairs_work(void) { return false; }

void digest_pairs(const struct digest_piece *pieces, size_t count, int prefix, struct digest_pair_result *results) {
    (void)pieces, (void)count, (void)prefix, (void)results;
    __builtin_trap();
}

#endif
