#include "write/csv_pack.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    GZIP_BITS = 15 + 16, /* zlib's for gzip's own head and checksum */
    GZIP_LEVEL = 6,
    GZIP_MEMORY = 8,
    ZSTD_LEVEL = 3,
    ZSTD_WINDOW = 18 /* 256 KiB: more than what is mostly written at a time, and bounded */
};

struct ls_packer {
    ls_csv_compress how;
    ZSTD_CCtx *zstd;
    z_stream gzip;
    char room[LS_PACK_ROOM];
};

struct ls_unpacker {
    ls_csv_compress how;
    ZSTD_DCtx *zstd;
    z_stream gzip;
};

int ls_packer_new(ls_packer **out, ls_csv_compress how, ls_error *err) {
    ls_packer *k = calloc(1, sizeof *k);
    bool fine = false;
    if (k && how == LS_CSV_GZIP) fine = deflateInit2(&k->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
    if (k && how == LS_CSV_ZSTD)
        fine = (k->zstd = ZSTD_createCCtx()) && !ZSTD_isError(ZSTD_CCtx_setParameter(k->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(k->zstd, ZSTD_c_windowLog, ZSTD_WINDOW)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(k->zstd, ZSTD_c_checksumFlag, 1));
    if (fine) k->how = how; /* before, there is nothing of zlib's to end */
    *out = k;
    if (fine) return 0;
    ls_packer_free(k);
    *out = NULL;
    return ls_fail_memory(err, "compressing");
}

void ls_packer_free(ls_packer *k) {
    if (!k) return;
    if (k->how == LS_CSV_GZIP) deflateEnd(&k->gzip);
    ZSTD_freeCCtx(k->zstd);
    free(k);
}

static int add_zstd(ls_packer *k, const char *p, size_t n, bool end, ls_pack_put *put, void *ctx, ls_error *err) {
    ZSTD_inBuffer in = {p, n, 0};
    for (;;) {
        ZSTD_outBuffer out = {k->room, sizeof k->room, 0};
        size_t left = ZSTD_compressStream2(k->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) return ls_fail_memory(err, "compressing"); /* which is all that can fail */
        if (out.pos && put(ctx, k->room, out.pos, err)) return -1;
        if (end ? left == 0 : in.pos == in.size) return 0;
    }
}

static int add_gzip(ls_packer *k, const char *p, size_t n, bool end, ls_pack_put *put, void *ctx, ls_error *err) {
    enum { STEP = 1 << 30 }; /* zlib counts in 32 bits */
    for (;;) {
        uInt step = n < STEP ? (uInt)n : STEP;
        k->gzip.next_in = (Bytef *)(uintptr_t)p;
        k->gzip.avail_in = step;
        k->gzip.next_out = (Bytef *)k->room;
        k->gzip.avail_out = sizeof k->room;
        int rc = deflate(&k->gzip, end && step == n ? Z_FINISH : Z_NO_FLUSH);
        size_t out = sizeof k->room - k->gzip.avail_out;
        p += step - k->gzip.avail_in;
        n -= step - k->gzip.avail_in;
        if (out && put(ctx, k->room, out, err)) return -1;
        if (rc == Z_STREAM_END) return deflateReset(&k->gzip) == Z_OK ? 0 : ls_fail_memory(err, "compressing");
        if (!end && !n && k->gzip.avail_out) return 0;
    }
}

int ls_packer_add(ls_packer *k, const char *p, size_t n, bool end, ls_pack_put *put, void *ctx, ls_error *err) {
    return (k->how == LS_CSV_ZSTD ? add_zstd : add_gzip)(k, p, n, end, put, ctx, err);
}

static int no_memory(ls_error *err) { return ls_fail_memory(err, "reading a compressed file"); }

int ls_unpacker_new(ls_unpacker **out, ls_csv_compress how, ls_error *err) {
    ls_unpacker *u = calloc(1, sizeof *u);
    bool fine = false;
    if (u && how == LS_CSV_GZIP) fine = inflateInit2(&u->gzip, GZIP_BITS) == Z_OK;
    if (u && how == LS_CSV_ZSTD) fine = (u->zstd = ZSTD_createDCtx()) != NULL;
    if (fine) u->how = how;
    *out = u;
    if (fine) return 0;
    ls_unpacker_free(u);
    *out = NULL;
    return no_memory(err);
}

void ls_unpacker_free(ls_unpacker *u) {
    if (!u) return;
    if (u->how == LS_CSV_GZIP) inflateEnd(&u->gzip);
    ZSTD_freeDCtx(u->zstd);
    free(u);
}

int ls_unpack(ls_unpacker *u, const char **p, const char *end, char *out, size_t *n, bool *closed, ls_error *err) {
    size_t given = (size_t)(end - *p);
    *closed = false;
    if (u->how == LS_CSV_ZSTD) {
        ZSTD_inBuffer in = {*p, given, 0};
        ZSTD_outBuffer to = {out, LS_PACK_ROOM, 0};
        size_t left = ZSTD_decompressStream(u->zstd, &to, &in);
        if (ZSTD_isError(left)) return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? no_memory(err) : 1;
        *p += in.pos;
        *n = to.pos;
        *closed = left == 0 && (in.pos || to.pos);
        return 0;
    }
    u->gzip.next_in = (Bytef *)(uintptr_t)*p;
    u->gzip.avail_in = (uInt)given;
    u->gzip.next_out = (Bytef *)out;
    u->gzip.avail_out = LS_PACK_ROOM;
    int rc = inflate(&u->gzip, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) return rc == Z_MEM_ERROR ? no_memory(err) : 1;
    *p += given - u->gzip.avail_in;
    *n = LS_PACK_ROOM - u->gzip.avail_out;
    *closed = rc == Z_STREAM_END;
    return *closed && inflateReset(&u->gzip) != Z_OK ? no_memory(err) : 0;
}
