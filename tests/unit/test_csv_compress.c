/* Compressed files: what a flush leaves is whole, and half a frame goes at the next start. zlib and libzstd read them here by their own
 * means. */
#include "csvfixture.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define HEAD "action,table,id,a,b\n"
#define ROW(id) "I,public.orders," id ",x,y\n"

typedef struct kind {
    ls_csv_compress how;
    const char *end;
} kind;

static const kind kinds[] = {{LS_CSV_ZSTD, ".zst"}, {LS_CSV_GZIP, ".gz"}};
#define EACH_KIND(k) for (const kind *k = kinds; k < kinds + 2; k++)

static void path_of(fixture *f, char out[200], const char *name, const kind *k) { snprintf(out, 200, "%s%s%s", f->filename, name, k->end); }

static void read_zstd(const char *path, ls_buf *out) {
    char bytes[1000], room[1000];
    ZSTD_DCtx *z = ZSTD_createDCtx();
    FILE *in = fopen(path, "rb");
    size_t n, left = 0;
    if (!in) fail_msg("there is no %s", path);
    while ((n = fread(bytes, 1, sizeof bytes, in))) {
        ZSTD_inBuffer from = {bytes, n, 0};
        for (bool more = true; more;) {
            ZSTD_outBuffer to = {room, sizeof room, 0};
            left = ZSTD_decompressStream(z, &to, &from);
            assert_false(ZSTD_isError(left));
            ls_buf_add(out, room, to.pos);
            more = from.pos < from.size || to.pos == to.size;
        }
    }
    assert_int_equal(left == 0 || ftell(in) == 0, 1); /* it ends with a frame */
    fclose(in);
    ZSTD_freeDCtx(z);
}

static void read_gzip(const char *path, ls_buf *out) {
    char room[1000];
    gzFile in = gzopen(path, "rb");
    int n;
    if (!in) fail_msg("there is no %s", path);
    while ((n = gzread(in, room, sizeof room)) > 0) ls_buf_add(out, room, (size_t)n);
    assert_int_equal(n, 0);
    assert_int_equal(gzclose(in), Z_OK);
}

static void assert_plain_bytes(fixture *f, const kind *k, const char *name, const char *want, size_t n) {
    ls_buf got = {0};
    char path[200];
    path_of(f, path, name, k);
    (k->how == LS_CSV_ZSTD ? read_zstd : read_gzip)(path, &got);
    assert_string_equal(got.len ? ls_buf_cstr(&got) : "", want);
    assert_int_equal(got.len, n);
    ls_buf_free(&got);
}

static void assert_plain(fixture *f, const kind *k, const char *name, const char *want) { assert_plain_bytes(f, k, name, want, strlen(want)); }

static ls_buf bytes_of(fixture *f, const char *name, const kind *k) {
    ls_buf out = {0};
    char path[200], bytes[4096];
    path_of(f, path, name, k);
    FILE *in = fopen(path, "rb");
    if (!in) fail_msg("there is no %s", path);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in));) ls_buf_add(&out, bytes, n);
    fclose(in);
    return out;
}

static void put_bytes(fixture *f, const char *name, const kind *k, const char *p, size_t n) {
    char path[200];
    path_of(f, path, name, k);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(p, 1, n, out), n);
    fclose(out);
}

static void add_rows(fixture *f, int from, int to) {
    for (int i = from; i <= to; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d|x|y", i);
        add(f, f->orders, 'I', NULL, text);
    }
}

static void open_kind(fixture *f, const kind *k) {
    f->conf.compress = k->how;
    open_csv(f);
}

static void test_what_is_flushed_can_be_read(void **state) {
    fixture *f = *state;
    EACH_KIND(k) {
        open_kind(f, k);
        add_rows(f, 1, 2);
        flush(f);
        flush(f); /* nothing came: no empty frame */
        assert_plain(f, k, "_c.csv", HEAD ROW("1") ROW("2"));
        add_rows(f, 3, 3);
        close_csv(f); /* without a flush */
        assert_plain(f, k, "_c.csv", HEAD ROW("1") ROW("2"));
        open_kind(f, k);
        add_rows(f, 4, 4);
        flush(f);
        assert_plain(f, k, "_c.csv", HEAD ROW("1") ROW("2") ROW("4"));
        close_csv(f);
    }
    assert_no_file(f, "_c.csv");
}

/* Each length that a crash can leave. */
static void test_half_a_frame_is_cut_off(void **state) {
    fixture *f = *state;
    EACH_KIND(k) {
        size_t ends[3] = {0};
        open_kind(f, k);
        for (int i = 1; i <= 3; i++) {
            ls_buf now;
            if (i == 2) add(f, f->orders, 'I', NULL, "2|\"\n|y");
            else add_rows(f, i, i);
            flush(f);
            now = bytes_of(f, "_c.csv", k);
            ends[i - 1] = now.len;
            ls_buf_free(&now);
        }
        close_csv(f);
        ls_buf all = bytes_of(f, "_c.csv", k);
        for (size_t n = 0; n <= all.len; n++) {
            char want[200] = "", more[400];
            if (n >= ends[0]) strcat(want, HEAD ROW("1"));
            if (n >= ends[1]) strcat(want, "I,public.orders,2,\"\"\"\n\",y\n");
            if (n >= ends[2]) strcat(want, ROW("3"));
            put_bytes(f, "_c.csv", k, all.data, n);
            open_kind(f, k);
            assert_plain(f, k, "_c.csv", want);
            add_rows(f, 4, 4);
            flush(f);
            close_csv(f);
            snprintf(more, sizeof more, "%s" ROW("4"), *want ? want : HEAD);
            assert_plain(f, k, "_c.csv", more);
            char cut[200];
            path_of(f, cut, "_c.csv", k);
            strcat(cut, ".cut");
            assert_int_equal(access(cut, F_OK), -1);
        }
        ls_buf_free(&all);
    }
}

static void test_a_damaged_file(void **state) {
    fixture *f = *state;
    EACH_KIND(k) {
        open_kind(f, k);
        add_rows(f, 1, 1);
        flush(f);
        ls_buf first = bytes_of(f, "_c.csv", k);
        add_rows(f, 2, 2);
        flush(f);
        close_csv(f);
        ls_buf all = bytes_of(f, "_c.csv", k);
        all.data[first.len + 12] ^= 0x55;
        put_bytes(f, "_c.csv", k, all.data, all.len);
        open_kind(f, k);
        assert_plain(f, k, "_c.csv", HEAD ROW("1"));
        char name[32];
        snprintf(name, sizeof name, "_c.csv%s", k->end);
        ls_buf cut = bytes_of(f, name, &(const kind){.end = ".cut"});
        assert_int_equal(cut.len, all.len - first.len);
        assert_memory_equal(cut.data, all.data + first.len, cut.len);
        close_csv(f);
        ls_buf_free(&first), ls_buf_free(&all), ls_buf_free(&cut);
    }
}

static void test_a_file_of_somebody_else(void **state) {
    fixture *f = *state;
    EACH_KIND(k) {
        put_bytes(f, "_c.csv", k, "Dear reader,\n", 13);
        open_kind(f, k);
        add_rows(f, 1, 1);
        flush(f);
        close_csv(f);
        assert_plain(f, k, "_c-2.csv", HEAD ROW("1"));
        ls_buf there = bytes_of(f, "_c.csv", k);
        assert_int_equal(there.len, 13);
        assert_memory_equal(there.data, "Dear reader,\n", 13);
        ls_buf_free(&there);
    }
}

/* Whole frames of rows that were quoted otherwise are kept. */
static void test_rows_are_not_thrown_away(void **state) {
    fixture *f = *state;
    EACH_KIND(k) {
        open_kind(f, k);
        add(f, f->orders, 'I', NULL, "1|x|y");
        flush(f);
        ls_buf first = bytes_of(f, "_c.csv", k);
        add(f, f->orders, 'I', NULL, "2|O'Brien|y");
        flush(f);
        close_csv(f);
        f->conf.quote = '\'';
        open_kind(f, k);
        f->conf.quote = '"';
        assert_plain(f, k, "_c.csv", HEAD ROW("1"));
        char name[32];
        snprintf(name, sizeof name, "_c.csv%s", k->end);
        ls_buf cut = bytes_of(f, name, &(const kind){.end = ".cut"});
        assert_true(cut.len > 10);
        ls_buf_free(&first), ls_buf_free(&cut);
        close_csv(f);
    }
}

static void test_large_rows_and_many(void **state) {
    fixture *f = *state;
    enum { N = 700000, MANY = 30000 };
    char *text = malloc(N + 8);
    for (size_t i = 0; i < N; i++) text[i] = (char)('a' + (i * i >> 7) % 26);
    strcpy(text + N, "|a|b");
    EACH_KIND(k) {
        ls_buf want = {0};
        open_kind(f, k);
        add_rows(f, 1, 1);
        add(f, f->orders, 'I', NULL, text);
        add_rows(f, 2, MANY);
        flush(f);
        ls_buf_str(&want, HEAD ROW("1"));
        ls_buf_fmt(&want, "I,public.orders,%.*s,a,b\n", N, text);
        for (int i = 2; i <= MANY; i++) ls_buf_fmt(&want, "I,public.orders,%d,x,y\n", i);
        assert_plain_bytes(f, k, "_c.csv", ls_buf_cstr(&want), want.len);
        ls_buf packed = bytes_of(f, "_c.csv", k);
        assert_true(packed.len < want.len / 2);
        restart(f);
        add_rows(f, 1, 1);
        flush(f);
        ls_buf_str(&want, ROW("1"));
        assert_plain_bytes(f, k, "_c.csv", ls_buf_cstr(&want), want.len);
        close_csv(f);
        ls_buf_free(&want), ls_buf_free(&packed);
    }
    free(text);
}

static void test_with_rotation(void **state) {
    fixture *f = *state;
    f->conf.rotate_rows = 2;
    EACH_KIND(k) {
        const kind part = {.how = k->how, .end = k->how == LS_CSV_ZSTD ? ".zst.part" : ".gz.part"};
        open_kind(f, k);
        add_rows(f, 1, 3);
        restart(f);
        assert_plain(f, k, k->how == LS_CSV_ZSTD ? "_c.csv" : "_c-3.csv", HEAD ROW("1") ROW("2"));
        assert_plain(f, &part, k->how == LS_CSV_ZSTD ? "_c-2.csv" : "_c-4.csv", HEAD ROW("3"));
        add_rows(f, 4, 4);
        assert_plain(f, k, k->how == LS_CSV_ZSTD ? "_c-2.csv" : "_c-4.csv", HEAD ROW("3") ROW("4"));
        close_csv(f);
    }
}

static void test_a_write_that_fails(void **state) {
    fixture *f = *state;
    struct rlimit was, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, SIG_IGN);
    EACH_KIND(k) {
        open_kind(f, k);
        add_rows(f, 1, 1);
        flush(f);
        add_rows(f, 2, 9);
        small = was;
        ls_buf there = bytes_of(f, "_c.csv", k);
        small.rlim_cur = there.len + 10;
        ls_buf_free(&there);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int rc = f->csv->ops->flush(f->csv, NULL, 0, &f->err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
        assert_int_equal(rc, -1);
        assert_non_null(strstr(f->err.text, "start again"));
        assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), -1);
        assert_non_null(strstr(f->err.text, "an earlier write failed"));
        close_csv(f);
        open_kind(f, k);
        assert_plain(f, k, "_c.csv", HEAD ROW("1"));
        close_csv(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_what_is_flushed_can_be_read),
        T(test_half_a_frame_is_cut_off),
        T(test_a_damaged_file),
        T(test_a_file_of_somebody_else),
        T(test_rows_are_not_thrown_away),
        T(test_large_rows_and_many),
        T(test_with_rotation),
        T(test_a_write_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
