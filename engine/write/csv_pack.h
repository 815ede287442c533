/* csv_pack.h - zstd frames and gzip members: made whole, and read back one after the other, as files that hold several of them are. */
#ifndef LS_CSV_PACK_H
#define LS_CSV_PACK_H

#include "base/error.h"
#include "write/writer.h"

#include <stddef.h>

enum { LS_PACK_ROOM = 64 * 1024 }; /* bytes that come out at a time, at most */

typedef struct ls_packer ls_packer;
typedef int ls_pack_put(void *ctx, const char *p, size_t n, ls_error *err); /* 0 or -1 */

int ls_packer_new(ls_packer **out, ls_csv_compress how, ls_error *err) LS_MUST_CHECK;
void ls_packer_free(ls_packer *k); /* NULL is fine */
/* Adds bytes to the frame, which `end` closes; what comes out goes to put(). After -1 the frame is good for nothing. */
int ls_packer_add(ls_packer *k, const char *p, size_t n, bool end, ls_pack_put *put, void *ctx, ls_error *err) LS_MUST_CHECK;

typedef struct ls_unpacker ls_unpacker;

int ls_unpacker_new(ls_unpacker **out, ls_csv_compress how, ls_error *err) LS_MUST_CHECK;
void ls_unpacker_free(ls_unpacker *u); /* NULL is fine */
/* Takes bytes at *p, up to end at most, and gives *n of what they hold at out (LS_PACK_ROOM bytes). *closed: a frame ends just before *p.
 * To be called until it neither takes nor gives. 1: the bytes are no such frames; -1: memory. */
int ls_unpack(ls_unpacker *u, const char **p, const char *end, char *out, size_t *n, bool *closed, ls_error *err) LS_MUST_CHECK;

#endif
