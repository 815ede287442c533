/* A writer with a manifest, and a power cut at each of its calls that change the disk: whatever is found after it, the next start has each row
 * once, and so has the one after a second cut in the middle of that start. Rows come as from two topics of two partitions. */
#include "crashdisk.h"
#include "csvfixture.h"

#include <zlib.h>
#include <zstd.h>

enum { TOPICS = 2, PARTITIONS = 2, MESSAGES = 9, PLACES = TOPICS * PARTITIONS, ROOM = 1 << 16 };

/* What each partition holds: a message a letter. I, U, D: of orders; J, E: an insert and a delete of items; T: a truncate of orders, which each
 * partition of the topic has. */
static const char *const messages[PLACES] = {"IJUDTIJEI", "JIUITDIJU", "IITJUEDIJ", "UIJTIDJEI"};
static const char *const topic_names[TOPICS] = {"wal", "other"};

typedef struct setting {
    const char *name, *filename;
    ls_csv_compress compress;
    bool split, no_header, a_file_a_partition;
    size_t max_open_files;
    uint64_t rotate_rows;
    int64_t rotate_every, settle_ms;
} setting;

static const setting settings[] = {
    {.name = "plain", .filename = "out", .settle_ms = 1000000},
    {.name = "settled at once", .filename = "out", .split = true, .settle_ms = 0},
    {.name = "rotation", .filename = "out", .rotate_rows = 3, .split = true, .settle_ms = 1000000},
    {.name = "rotation by time", .filename = "a/{kind}", .rotate_every = 2, .split = true, .settle_ms = 0},
    {.name = "templates", .filename = "{topic}/{partition}/{table}", .max_open_files = 1, .a_file_a_partition = true, .settle_ms = 1000000},
    {.name = "templates, rotation", .filename = "{topic}/x-{table}", .max_open_files = 1, .rotate_rows = 2, .settle_ms = 0},
    {.name = "without headers", .filename = "out", .no_header = true, .split = true, .max_open_files = 1, .settle_ms = 0},
    {.name = "gzip", .filename = "out", .compress = LS_CSV_GZIP, .settle_ms = 1000000},
    {.name = "zstd, rotation", .filename = "out", .compress = LS_CSV_ZSTD, .rotate_rows = 3, .settle_ms = 0},
};

typedef struct bench {
    fixture *f;
    const setting *s;
    ls_schema *items;
    ls_csv_keep_conf keep;
    int64_t at[PLACES];
    unsigned chance;
    int waits, found;
} bench;

static unsigned chance_of(bench *b, unsigned n) {
    b->chance = b->chance * 1103515245u + 12345u;
    return (b->chance >> 16) % n;
}

/* ---- a run */

static void add_message(bench *b, int place, int64_t offset) {
    fixture *f = b->f;
    char what = messages[place][offset], id[24], row_text[64], old[32];
    static char topics[TOPICS][8];
    ls_schema *s = strchr("JE", what) ? b->items : f->orders;
    snprintf(id, sizeof id, "p%do%d", place, (int)offset);
    snprintf(row_text, sizeof row_text, s == b->items ? "%s|v" : "%s|x|y", id);
    snprintf(old, sizeof old, s == b->items ? "%s|?" : "%s|?|?", id);
    strcpy(topics[place / PARTITIONS], topic_names[place / PARTITIONS]);
    ls_change *c = what == 'T'   ? change(f, s, 'T', NULL, NULL)
                   : what == 'U' ? change(f, s, 'U', old, row_text)
                   : strchr("DE", what) ? change(f, s, 'D', old, NULL) : change(f, s, 'I', NULL, row_text);
    ls_tx tx = *c->tx;
    snprintf(tx.pos, sizeof tx.pos, "%d", place / PARTITIONS);
    tx.ts = (1000 + offset) * 1000000;
    c->tx = ls_work_tx(f->work, &tx);
    if (what == 'T') c->seq = 77;
    ls_origin *o = ls_arena_alloc(&f->work->arena, sizeof *o);
    *o = (ls_origin){topics[place / PARTITIONS], place % PARTITIONS};
    c->origin = o;
}

static int flush_places(bench *b) {
    ls_position at[PLACES];
    for (int i = 0; i < PLACES; i++) at[i] = (ls_position){topic_names[i / PARTITIONS], i % PARTITIONS, b->at[i]};
    return b->f->csv->ops->flush(b->f->csv, at, PLACES, &b->f->err);
}

static int write_some(bench *b) {
    int place = (int)chance_of(b, PLACES), n = 1 + (int)chance_of(b, 3);
    for (int i = 0; i < PLACES && b->at[place] == MESSAGES; i++) place = (place + 1) % PLACES;
    for (; n && b->at[place] < MESSAGES; n--) add_message(b, place, b->at[place]++);
    int rc = b->f->csv->ops->write(b->f->csv, &b->f->work->seen, &b->f->err);
    ls_work_reset(b->f->work);
    return rc || (chance_of(b, 3) == 0 && flush_places(b)) ? -1 : 0;
}

static bool all_read(const bench *b) {
    for (int i = 0; i < PLACES; i++)
        if (b->at[i] < MESSAGES) return false;
    return true;
}

static int wait_for_room(void *ctx, ls_error *err) {
    bench *b = ctx;
    assert_int_equal(err->code, LS_AGAIN);
    b->waits++;
    return 0;
}

static void found_room(void *ctx) { ((bench *)ctx)->found++; }

/* Opens the writer and reads on from its places to the end. */
static int attempt(bench *b) {
    fixture *f = b->f;
    int rc = ls_csv_open(&f->csv, &f->conf, &f->err);
    if (rc) f->csv = NULL;
    for (int i = 0; i < PLACES && rc == 0; i++) {
        ls_position at = {topic_names[i / PARTITIONS], i % PARTITIONS, 0};
        b->at[i] = f->csv->ops->begin(f->csv, &at, &f->err) == 1 ? at.offset : 0;
    }
    while (rc == 0 && !all_read(b)) rc = write_some(b);
    if (rc == 0) rc = flush_places(b);
    close_csv(f);
    return rc;
}

/* -1: the power is gone. */
static int run(bench *b) {
    fixture *f = b->f;
    int rc = attempt(b);
    if (rc && !crash_is_dead()) fail_msg("%s: call %ld: %s", b->s->name, crash_ops, f->err.text);
    return rc;
}

/* ---- what the files hold */

static void unpack(const setting *s, const char *path, char *out) {
    size_t n = 0;
    if (s->compress == LS_CSV_ZSTD) {
        crash_bytes b = crash_read(path);
        ZSTD_DStream *d = ZSTD_createDStream();
        ZSTD_inBuffer in = {b.p, b.n, 0};
        ZSTD_outBuffer to = {out, ROOM, 0};
        size_t left = 0;
        while (in.pos < in.size) assert_false(ZSTD_isError(left = ZSTD_decompressStream(d, &to, &in)));
        assert_int_equal(left, 0);
        ZSTD_freeDStream(d);
        free(b.p);
        n = to.pos;
    } else {
        gzFile in = gzopen(path, "rb"); /* of what is not compressed it gives the bytes */
        int got = gzread(in, out, ROOM - 1);
        assert_true(got >= 0);
        assert_int_equal(gzclose(in), Z_OK);
        n = (size_t)got;
    }
    out[n] = '\0';
}

typedef struct seen {
    int inserts[PLACES][MESSAGES], deletes[PLACES][MESSAGES], truncates, rows;
} seen;

/* By the name without its number, then by the number. */
static int by_part(const void *a, const void *b) { return strverscmp(((const crash_name *)a)->path, ((const crash_name *)b)->path); }

static void read_file(bench *b, const char *path, seen *out) {
    static char text[ROOM];
    int last[PLACES] = {-1, -1, -1, -1};
    unpack(b->s, path, text);
    size_t n = strlen(text);
    if (n && text[n - 1] != '\n') fail_msg("%s: %s ends in the middle of a row: %s", b->s->name, path, text);
    for (char *line = text, *end; *line; line = end + 1) {
        int place, offset;
        char action;
        end = strchr(line, '\n');
        *end = '\0';
        if (line == text && !b->s->no_header) {
            if (strncmp(line, "action,table", 12) != 0) fail_msg("%s: %s begins with %s", b->s->name, path, line);
            continue;
        }
        out->rows++;
        if (strncmp(line, "T,public.orders", 15) == 0) {
            out->truncates++;
            continue;
        }
        if (sscanf(line, "%c,public.%*[a-z],p%do%d", &action, &place, &offset) != 3) fail_msg("%s: %s has the row %s", b->s->name, path, line);
        if (offset < last[place]) fail_msg("%s: %s: partition %d: %d stands behind %d", b->s->name, path, place, offset, last[place]);
        last[place] = offset;
        ++(action == 'I' ? out->inserts : out->deletes)[place][offset];
    }
}

static void check_files(bench *b) {
    static crash_name all[CRASH_NAMES];
    static seen got;
    int n = crash_list(b->f->folder, all, 0), truncates = b->s->a_file_a_partition ? PLACES : TOPICS;
    memset(&got, 0, sizeof got);
    qsort(all, (size_t)n, sizeof *all, by_part);
    for (int i = 0; i < n; i++) {
        struct stat st;
        if (stat(all[i].path, &st) || S_ISDIR(st.st_mode) || strstr(all[i].path, ".manifest.")) continue;
        read_file(b, all[i].path, &got);
    }
    for (int p = 0; p < PLACES; p++)
        for (int o = 0; o < MESSAGES; o++) {
            int inserts = strchr("IJU", messages[p][o]) != NULL, deletes = strchr("UDE", messages[p][o]) != NULL;
            if (got.inserts[p][o] != inserts || got.deletes[p][o] != deletes)
                fail_msg("%s: crash at %ld, chance %u: p%do%d (%c) is there %d times as an insert and %d times as a delete", b->s->name, crash_at, b->chance, p, o,
                         messages[p][o], got.inserts[p][o], got.deletes[p][o]);
        }
    if (got.truncates != truncates) fail_msg("%s: %d truncates instead of %d", b->s->name, got.truncates, truncates);
}

/* ---- crashes */

static void use(bench *b, fixture *f, const setting *s) {
    static char path[160];
    *b = (bench){.f = f, .s = s, .keep = {.consumer = "c", .instance = 1, .instances = 1, .settle_ms = s->settle_ms}};
    snprintf(path, sizeof path, "%s/%s", f->folder, s->filename);
    f->conf.filename = path;
    f->conf.compress = s->compress;
    f->conf.split_files = s->split;
    f->conf.header = !s->no_header;
    f->conf.max_open_files = s->max_open_files;
    f->conf.rotate_rows = s->rotate_rows;
    f->conf.rotate_every = s->rotate_every;
}

/* Crashes at call number `at`; false: the run had fewer. */
static bool crash_once(bench *b, long at, crash_way way) {
    crash_clear(b->f->folder);
    b->f->conf.keep = &b->keep;
    b->chance = 7;
    crash_error = 0;
    crash_chance = (unsigned)at * 3u + (unsigned)way;
    crash_tears = at % 2;
    crash_begin(b->f->folder, at);
    if (run(b) == 0) {
        crash_counts = false;
        return false;
    }
    crash_happens(way);
    /* the power goes again while the next start works */
    b->chance = (unsigned)at;
    crash_begin(b->f->folder, 1 + (long)crash_random(40));
    if (run(b)) {
        crash_happens((crash_way)crash_random(CRASH_WAYS));
        crash_begin(b->f->folder, 0);
        assert_int_equal(run(b), 0);
    }
    crash_counts = false;
    check_files(b);
    return true;
}

static void test_each_call(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        bench b;
        long at = 1;
        use(&b, f, &settings[i]);
        b.items = schema(f, "items", "k v", "0");
        for (bool more = true; more; at++)
            for (crash_way way = 0; way < CRASH_WAYS; way++) more &= crash_once(&b, at, way);
        printf("    %s: %ld calls\n", settings[i].name, at - 2);
        check_files(&b);
        ls_schema_unref(b.items);
    }
    f->conf.keep = NULL;
}

/* ---- a disk that fails and works again */

static void begin_with(bench *b, long at, int error, int fails) {
    crash_clear(b->f->folder);
    b->f->conf.keep = &b->keep;
    b->f->conf.room = (ls_csv_room){.wait = wait_for_room, .found = found_room, .ctx = b};
    b->chance = 7;
    b->waits = b->found = 0;
    crash_tears = at % 2;
    crash_error = error;
    crash_fails = fails;
    crash_begin(b->f->folder, at);
}

/* The call fails once, and all later ones work: it is not passed over, and what was not certain then is not counted later. */
static void test_an_error_at_each_call(void **state) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        bench b;
        use(&b, *state, &settings[i]);
        b.items = schema(*state, "items", "k v", "0");
        for (long at = 1;; at++) {
            begin_with(&b, at, EIO, 1);
            int rc = attempt(&b);
            if (crash_ops < at) break;
            if (!rc && !crash_tears) fail_msg("%s: call %ld failed, and nobody said so", settings[i].name, at);
            if (rc) assert_int_equal(b.f->err.code, LS_FAIL);
            assert_int_equal(b.waits, 0);
            if (rc) crash_happens(at % 3 ? CRASH_KILLED : CRASH_STRICT);
            if (rc) crash_begin(b.f->folder, 0);
            if (rc) assert_int_equal(run(&b), 0);
            check_files(&b);
        }
        crash_counts = false;
        ls_schema_unref(b.items);
    }
}

/* There is no room for three calls: it is waited for, or what was not flushed is written anew. */
static void test_a_full_disk_at_each_call(void **state) {
    int waits = 0, again = 0;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        bench b;
        use(&b, *state, &settings[i]);
        b.items = schema(*state, "items", "k v", "0");
        for (long at = 1;; at++) {
            begin_with(&b, at, i % 2 ? ENOSPC : EDQUOT, 3);
            int rc = attempt(&b);
            if (crash_ops < at) break;
            for (int more = 0; rc && more < 3; more++, again++) {
                assert_int_equal(b.f->err.code, LS_AGAIN);
                rc = attempt(&b);
            }
            assert_int_equal(rc, 0);
            assert_true(!b.waits || b.found);
            waits += b.waits;
            check_files(&b);
        }
        crash_counts = false;
        ls_schema_unref(b.items);
    }
    printf("    %d waits, %d new starts\n", waits, again);
    assert_true(waits > 100);
    assert_true(again > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_each_call, setup_in_memory, teardown),
                                       cmocka_unit_test_setup_teardown(test_an_error_at_each_call, setup_in_memory, teardown),
                                       cmocka_unit_test_setup_teardown(test_a_full_disk_at_each_call, setup_in_memory, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
