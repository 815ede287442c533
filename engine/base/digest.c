/* The hash's state behind a key is kept and copied for each value: one-shot calls look the algorithm up each time, which
 * costs more than the hash of a short value. That needs the functions of OpenSSL 1.1, which 3 still has. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "base/digest.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct ls_hmac_key {
    SHA256_CTX inner, outer; /* behind the key's block */
};

ls_hmac_key *ls_hmac_key_new(const void *key, size_t n) {
    uint8_t block[SHA256_CBLOCK] = {0}, inner[SHA256_CBLOCK], outer[SHA256_CBLOCK];
    ls_hmac_key *k = malloc(sizeof *k);
    if (!k) return NULL;
    if (n > sizeof block)
        SHA256(key, n, block);
    else if (n)
        memcpy(block, key, n);
    for (size_t i = 0; i < sizeof block; i++) {
        inner[i] = block[i] ^ 0x36;
        outer[i] = block[i] ^ 0x5c;
    }
    SHA256_Init(&k->inner);
    SHA256_Update(&k->inner, inner, sizeof inner);
    SHA256_Init(&k->outer);
    SHA256_Update(&k->outer, outer, sizeof outer);
    return k;
}

void ls_hmac_key_free(ls_hmac_key *k) { free(k); }

void ls_digest_hex(const ls_hmac_key *key, const void *p, size_t n, char out[LS_SHA256_HEX]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[LS_SHA256_BYTES];
    SHA256_CTX c;
    if (key)
        c = key->inner;
    else
        SHA256_Init(&c);
    SHA256_Update(&c, p, n);
    SHA256_Final(hash, &c);
    if (key) {
        c = key->outer;
        SHA256_Update(&c, hash, sizeof hash);
        SHA256_Final(hash, &c);
    }
    for (size_t i = 0; i < sizeof hash; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
}
