/* A wrapping key in a token, by PKCS #11 (OASIS, version 2.40): the few calls that a key slot needs.
 *
 * The token's module is loaded at run time, so that nobody needs one who uses none. A handle is used by one thread at
 * a time. No call keeps a secret beyond its return.
 */
#ifndef CPKCS11_H
#define CPKCS11_H

#include <stddef.h>
#include <stdint.h>

/* Outcomes that are none of the module's own: those are the CK_RV values of the standard. */
enum {
    PKCS11_NO_MODULE = -1,     /* it cannot be loaded, or is no PKCS #11 module */
    PKCS11_NO_TOKEN = -2,      /* no token of that label */
    PKCS11_NO_KEY = -3,        /* no secret key of that label */
    PKCS11_SEVERAL_KEYS = -4,  /* more than one */
    PKCS11_TOO_LONG = -5,      /* the result does not fit */
};

typedef struct pkcs11_key pkcs11_key;

/* Opens a session with the token, logs in, and finds the key. 0, or why not; then nothing is left open. */
long pkcs11_open(const char *_Nonnull module, const char *_Nonnull token, const char *_Nonnull label,
                 const uint8_t *_Nonnull pin, size_t pin_length, pkcs11_key *_Nullable *_Nonnull out);

/* Logs out and ends the session. */
void pkcs11_close(pkcs11_key *_Nonnull key);

/* AES key wrap with padding (RFC 5649) of a secret. `out_length` is the room, and then what it took. */
long pkcs11_wrap(pkcs11_key *_Nonnull key, const uint8_t *_Nonnull secret, size_t length, uint8_t *_Nonnull out,
                 size_t *_Nonnull out_length);

/* The secret again. */
long pkcs11_unwrap(pkcs11_key *_Nonnull key, const uint8_t *_Nonnull wrapped, size_t length, uint8_t *_Nonnull out,
                   size_t *_Nonnull out_length);

#endif
