/* digest.h - SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) by libcrypto. */
#ifndef LS_DIGEST_H
#define LS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { LS_SHA256_BYTES = 32, LS_SHA256_HEX = 64 };

/* A key, hashed once: immutable, so that any number of threads may use it. */
typedef struct ls_hmac_key ls_hmac_key;
ls_hmac_key *ls_hmac_key_new(const void *key, size_t n); /* NULL: memory */
void ls_hmac_key_free(ls_hmac_key *k);
/* HMAC-SHA-256 of the bytes under the key, key NULL: their plain SHA-256; lower-case hex, not terminated. */
void ls_digest_hex(const ls_hmac_key *key, const void *p, size_t n, char out[LS_SHA256_HEX]);

#endif
