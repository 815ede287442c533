/* list_sync.h - the ABI: every type and function that Lua sees; nothing else is visible to Lua.
 *
 * The part between the two "ffi" lines is handed to LuaJIT's ffi.cdef as it stands (lua/list_sync/ffi.lua is generated
 * from it), so it holds plain C declarations only: no preprocessor, no function bodies.
 *
 * Threads: a batch and everything that it points to belong to the one stage thread that fills it. */
#ifndef LIST_SYNC_H
#define LIST_SYNC_H

#include <stddef.h>
#include <stdint.h>

/* ffi begin */

/* Is there a value? LS_UNCHANGED: the server did not send it and it is as before. LS_ABSENT: not part of this image. */
enum ls_state { LS_PRESENT, LS_NULL, LS_UNCHANGED, LS_ABSENT };

/* How a present value is held. The logical type stands in the column. */
enum ls_kind {
    LS_KIND_TEXT,   /* as.p, len: the canonical text, valid UTF-8; for a number its JSON text */
    LS_KIND_INT,    /* as.i */
    LS_KIND_UINT,   /* as.u */
    LS_KIND_DOUBLE, /* as.d, printed as the shortest text that reads back as the same double */
    LS_KIND_FLOAT,  /* as.d, printed as the shortest text that reads back as the same float */
    LS_KIND_BOOL,   /* as.i: 0 or 1 */
    LS_KIND_BYTES,  /* as.p, len: raw bytes; the canonical text is their base64 */
    LS_KIND_JSON    /* as.p, len: compact JSON text that stands in a message as it is (arrays, objects) */
};

/* Logical types of FORMAT.md, section 2. */
enum ls_type {
    LS_TYPE_STRING,
    LS_TYPE_BOOLEAN,
    LS_TYPE_INTEGER,
    LS_TYPE_FLOAT,
    LS_TYPE_DECIMAL,
    LS_TYPE_BYTES,
    LS_TYPE_DATE,
    LS_TYPE_TIME,
    LS_TYPE_DATETIME,
    LS_TYPE_TIMESTAMP,
    LS_TYPE_TIMETZ,
    LS_TYPE_INTERVAL,
    LS_TYPE_JSON, /* the document's text, compact */
    LS_TYPE_UUID,
    LS_TYPE_BITS,
    LS_TYPE_ARRAY,    /* this and the next three are LS_KIND_JSON; on consumers any JSON array or object of a message is an array */
    LS_TYPE_SET,      /* an array of labels */
    LS_TYPE_GEOMETRY, /* {"srid":n,"wkb":base64} */
    LS_TYPE_VECTOR,   /* an array of numbers */
    LS_TYPE_UNKNOWN /* consumers: no value but NULL has been seen yet */
};

/* 16 bytes. as.p points into the batch's arena, a receive buffer that the batch keeps, or static memory: it dies with
 * ls_batch_reset(). */
typedef struct ls_value {
    uint32_t len;
    uint8_t kind;  /* enum ls_kind; only if state is LS_PRESENT */
    uint8_t state; /* enum ls_state */
    uint8_t mended; /* 1: text that was not valid in its character set, U+FFFD stands for what was wrong */
    uint8_t reserved;
    union {
        const char *p;
        int64_t i;
        uint64_t u;
        double d;
    } as;
} ls_value;

typedef struct ls_column {
    const char *name; /* UTF-8, NUL-terminated; owned by the schema */
    uint32_t name_len;
    uint8_t type;      /* enum ls_type */
    uint8_t optional;  /* reserved for the formats: 1 if the column may be NULL */
    uint16_t key_at;   /* 1-based place in the key; 0: not a key column */
} ls_column;

/* A table's shape at one time: immutable, reference-counted, of one stage thread. */
typedef struct ls_schema {
    uint32_t id; /* unique within its ls_schemas, never 0: two rows with the same id have the same columns */
    uint32_t ncols;
    uint32_t nkey; /* 0: a table without a key; identity is then the whole row */
    uint32_t schema_len, table_len;
    const char *schema; /* NUL-terminated */
    const char *table;
    const ls_column *cols;
    const uint16_t *key; /* nkey column numbers in the key's own order */
    uint16_t rule;   /* whose options are the table's: those of the stage (0), or of the stage's rule-th table or pattern. As the source names the table */
    uint16_t before; /* enum ls_before */
} ls_schema;

/* What the rows of one transaction share. Lives in the batch's arena. */
typedef struct ls_tx {
    int64_t ts;     /* commit time, microseconds since 1970 UTC */
    char pos[40];   /* the transaction's place, fixed-width lower-case hex, NUL-terminated */
    char id[96];    /* xid or GTID, NUL-terminated */
    const char *connector; /* its name; on a consumer that of the message's source, "" without */
    const char *db;        /* "postgres", "mysql", "mariadb", or "" */
} ls_tx;

/* Where a consumer has a message from. Lives as long as the batch. */
typedef struct ls_origin {
    const char *topic;
    int32_t partition;
} ls_origin;

enum ls_change_flag {
    LS_DROPPED = 1,    /* a hook took it out: it is not sent */
    LS_MOVED_TO = 2,   /* a D whose row went to the key `moved` */
    LS_MOVED_FROM = 4, /* an I whose row came from the key `moved` */
    LS_SNAPSHOT = 8,
    LS_WHOLE_IDENTITY = 16 /* before has all that is known of the row: identity names it, and not the key alone */
};

/* One row's change. In a connector after and before have schema->ncols values; in a D or U the values before that the
 * message does not carry are LS_ABSENT. */
typedef struct ls_change {
    const ls_schema *schema; /* the batch holds the reference */
    ls_value *after;         /* the row after: I, U; else NULL */
    ls_value *before;        /* the row before: U, D; else NULL */
    const ls_value *moved;   /* schema->nkey values, with LS_MOVED_*; else NULL */
    const ls_tx *tx;
    uint64_t seq; /* ordinal in the transaction, from 1 */
    uint32_t sub;
    uint8_t action; /* 'I' 'U' 'D' 'T', and with ddl 'X' 'R' */
    uint8_t flags;  /* enum ls_change_flag */
    uint8_t whole_table; /* X: 0 means DROP DATABASE */
    uint8_t reserved;
    const char *to_schema, *to_table; /* R: the new name, NUL-terminated; else NULL */
    const ls_origin *origin; /* consumers; else NULL */
    struct ls_sending *sending; /* change/sending.h: what the script's functions said of how it is sent; NULL: nothing */
    const struct ls_change *original; /* change/fault.h: as it was before its hooks wrote to it; NULL: they did not, or nobody wants to know */
    const struct ls_fault *fault; /* change/fault.h: why it is LS_DROPPED, where that is an error; else NULL */
} ls_change;

/* What Lua sees of a batch; the rest is change/batch.h's. */
typedef struct ls_batch {
    uint32_t count;
    uint32_t generation; /* grows with each reset: a row of an older generation is dead */
    ls_change *changes;
    uint32_t frozen; /* not 0: no ls_row_* call writes, since a hook is asked where the row belongs, and is not to change it */
} ls_batch;

/* A present value of an integer or float column as Lua has it. 1: *out's d, exact (floats, whole numbers up to 2^53); 2: i;
 * 3: u; 0: its text is no such number, or memory is out. */
typedef struct ls_number {
    double d;
    int64_t i;
    uint64_t u;
} ls_number;
int ls_row_number(ls_batch *b, const ls_value *v, int type, ls_number *out);

/* Canonical text of a present value. *p stays valid until the next call with this batch, or the batch's reset.
 * 0, or -1 when memory is out. */
int ls_row_text(ls_batch *b, const ls_value *v, const char **p, size_t *n);

/* A text's value as a number, rounded to a double where it has more digits (decimals). 1, or 0: it is no number. */
int ls_row_rounded(ls_batch *b, const ls_value *v, double *out);
/* A date or time as microseconds: since 1970 (UTC), or of a time of day since midnight. 1; 2: infinity; 3: -infinity; 0: it is no point
 * in time that 64 bits hold. */
int ls_row_time(ls_batch *b, const ls_value *v, int64_t *us);
/* The bytes of a bytes column, or of base64 text. *p as in ls_row_text(). 1, or 0: it is no base64, or memory is out. */
int ls_row_bytes(ls_batch *b, const ls_value *v, const char **p, size_t *n);
/* A number as messages write it, not terminated; its length, 0: memory is out. */
size_t ls_number_text(double d, char out[32]);

/* Writing. `image` is 1 for the row after, 0 for the row before; `col` a column number of the change's schema. The bytes
 * are copied into the batch. Each gives 0, or -1 with the reason in ls_row_error(). The value is checked against the
 * column's type; a LS_TYPE_DECIMAL takes decimal text, LS_TYPE_BYTES takes raw bytes through ls_row_set_bytes. */
int ls_row_set_null(ls_batch *b, uint32_t change, int image, uint32_t col);
int ls_row_set_text(ls_batch *b, uint32_t change, int image, uint32_t col, const char *p, size_t n);
int ls_row_set_bytes(ls_batch *b, uint32_t change, int image, uint32_t col, const char *p, size_t n);
int ls_row_set_number(ls_batch *b, uint32_t change, int image, uint32_t col, double d);
int ls_row_set_int(ls_batch *b, uint32_t change, int image, uint32_t col, int64_t i);
int ls_row_set_uint(ls_batch *b, uint32_t change, int image, uint32_t col, uint64_t u);
int ls_row_set_bool(ls_batch *b, uint32_t change, int image, uint32_t col, int on);
/* JSON text into an array, set, vector or geometry column. */
int ls_row_set_json(ls_batch *b, uint32_t change, int image, uint32_t col, const char *p, size_t n);

/* Adds a column behind the others (enum ls_type), or takes one out of both images; the change gets another schema.
 * A key column is not taken out: -1. ls_row_add gives the new column's number. */
int ls_row_add(ls_batch *b, uint32_t change, const char *name, size_t n, int type);
int ls_row_drop(ls_batch *b, uint32_t change, uint32_t col);
/* Another name for a column, key columns too, in both images. */
int ls_row_rename(ls_batch *b, uint32_t change, uint32_t col, const char *name, size_t n);
/* A copy of the row as it is now, which goes behind it and the copies made before: its number, or -1. Moves batch->changes. */
int ls_row_clone(ls_batch *b, uint32_t change);
/* action: U -> D, U -> I, I -> U. */
int ls_row_set_action(ls_batch *b, uint32_t change, int action);
/* Another type for a column: its values are to be written next, in both images. */
int ls_row_retype(ls_batch *b, uint32_t change, uint32_t col, int type);
/* Of a moved row: exchanges the value of the key's column number `at` with the one that the row's other half has for it, so that that
 * one is written as any other is, between two exchanges. */
int ls_row_swap_moved(ls_batch *b, uint32_t change, uint32_t at);
/* Other names for this row's schema and table. */
int ls_row_set_table(ls_batch *b, uint32_t change, const char *schema, size_t sn, const char *table, size_t tn);

/* Where the row is sent, and as what; change/sending.c. What is given is copied into the batch. Each gives 0, or -1 with the reason.
 * A topic more, once each, whose name must be one that Kafka takes; the Kafka key, p NULL: none; a header, value NULL: a null one; the message, p NULL: one without a value. */
int ls_row_send_topic(ls_batch *b, uint32_t change, const char *p, size_t n);
int ls_row_send_key(ls_batch *b, uint32_t change, const char *p, size_t n);
int ls_row_send_header(ls_batch *b, uint32_t change, const char *name, size_t name_len, const char *value, size_t n);
int ls_row_send_message(ls_batch *b, uint32_t change, const char *p, size_t n);

/* moves = "split". Looks at an update as the delete of its row before, as the insert of its row after, or as it is again; what is said
 * of topic and key meanwhile is the half's. One update at a time. 0. */
enum ls_half { LS_WHOLE, LS_HALF_BEFORE, LS_HALF_AFTER };
int ls_row_look(ls_batch *b, uint32_t change, int half);
/* Do the halves go to other topics, or under other keys, as far as was said? 1 or 0. */
int ls_row_parted(ls_batch *b, uint32_t change);
/* Do the images differ in a column, or is it not known of one? 1 or 0. */
int ls_row_differs(ls_batch *b, uint32_t change, uint32_t col);
/* Makes a delete of the update, and an insert, which goes behind it: its number, or -1. Moves batch->changes. */
int ls_row_split(ls_batch *b, uint32_t change);

/* Why the last ls_row_* call on this batch gave -1. */
const char *ls_row_error(const ls_batch *b);
/* A function of the script has raised an error for the row at hand: which one, as options name it, and where; path NULL: that is not known. */
void ls_row_blame(ls_batch *b, const char *hook, const char *path, int line);

/* The cells of CSV layouts that functions give. Between begin and end the change is one half of itself, a D of its row before (image 0) or an I
 * of its row after (1), and no row can be written; its cells, all absent at first, are set by number.
 * begin: 1; 0: it has no such half; -1: memory. end: keep 0: the half has no record. set_text: 1: it is not UTF-8; set_text and set_bytes:
 * -1: memory, or 4 GiB. */
int ls_layout_begin(ls_batch *b, uint32_t change, int image, uint32_t ncells);
void ls_layout_end(ls_batch *b, int keep);
void ls_layout_set_null(ls_batch *b, uint32_t cell);
int ls_layout_set_text(ls_batch *b, uint32_t cell, const char *p, size_t n);
int ls_layout_set_bytes(ls_batch *b, uint32_t cell, const char *p, size_t n); /* its text is their base64 */
void ls_layout_set_number(ls_batch *b, uint32_t cell, double d);
void ls_layout_set_int(ls_batch *b, uint32_t cell, int64_t i);
void ls_layout_set_uint(ls_batch *b, uint32_t cell, uint64_t u);
void ls_layout_set_bool(ls_batch *b, uint32_t cell, int on);

/* Where the hooks are. C sets batch and run before it enters Lua, and hook for a writer's functions; Lua keeps index, rule and the hook;
 * they are read when a hook raised, or does not return. A row that a hook was given is alive while index and run are its own. */
enum ls_hook {
    LS_HOOK_FILTER = 1, LS_HOOK_MAP, LS_HOOK_TOPIC, LS_HOOK_KEY, LS_HOOK_HEADERS, LS_HOOK_FORMAT, LS_HOOK_MOVES,
    LS_HOOK_CELL, /* of a CSV layout */
    LS_HOOK_WRITE, LS_HOOK_OPEN, LS_HOOK_FLUSH, LS_HOOK_DISCARD, LS_HOOK_CLOSE, /* a writer's */
    LS_HOOKS
};
typedef struct ls_hook_place {
    ls_batch *batch; /* NULL between two runs */
    uint32_t run;    /* grows with each batch that the hooks see */
    uint32_t index;
    uint32_t clones; /* changes from this number on are the row's clones: alive as it is */
    uint32_t hook; /* enum ls_hook */
    uint32_t rule; /* of a connector whose tables have options of their own: the row's table's, as in ls_schema; of a layout: its number */
    uint32_t mistake; /* the last error is one that Lua itself found, and not one that was raised */
} ls_hook_place;

/* base/digest.c: an HMAC key, and the hash of bytes in hex, key NULL: plain SHA-256. */
typedef struct ls_hmac_key ls_hmac_key;
ls_hmac_key *ls_hmac_key_new(const void *key, size_t n);
void ls_hmac_key_free(ls_hmac_key *k);
void ls_digest_hex(const ls_hmac_key *key, const void *p, size_t n, char out[64]);
/* base/text.c: the name of `names` (n of them) nearest to `to`, or NULL when none is near. */
const char *ls_nearest(const char *to, const char *const *names, size_t n);
/* base/text.c */
_Bool ls_utf8_valid(const char *p, size_t n);
/* base/pattern.c: the number of the most specific pattern of tables that matches; -1: none does. */
int ls_pattern_best(const char *const *patterns, size_t n, const char *schema, const char *table);
/* base/json.c: does the text stand in a JSON string as it is, with nothing to escape? */
_Bool ls_json_is_plain(const char *p, size_t n);
/* kafka/client.c: why the engine owns this librdkafka property, or NULL. */
const char *ls_kafka_owned(const char *property);

/* ffi end */

#endif
