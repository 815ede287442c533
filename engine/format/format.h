/* format.h - change <-> bytes. A format is one ops-struct, without state of its own; what it keeps of a table hangs on the table's schema. */
#ifndef LS_FORMAT_H
#define LS_FORMAT_H

#include "base/buf.h"
#include "change/batch.h"

typedef struct ls_format_options {
    bool embed_json; /* json = "embed": a JSON column's document stands in the message as it is */
    bool no_source;  /* source = false: it is left out */
    bool table_key;  /* key = "table_pk": schema and table stand in front of the key's values */
    bool object_key; /* key = "object": a JSON object, the values under their columns' names */
    const char *const *key; /* a list of columns for the Kafka key; NULL: the table's key */
    size_t nkey;
    const char *database; /* PostgreSQL's, which Debezium's source names; NULL is "" */
} ls_format_options;

typedef struct ls_format_ops {
    const char *name;
    bool binary; /* messages are no text: `print` shows them as list_sync's */
    /* Appends the message of change i. -1 with an error that names table and column. */
    int (*encode)(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err);
} ls_format_ops;

extern const ls_format_ops ls_format_list_sync, ls_format_debezium, ls_format_maxwell, ls_format_flat, ls_format_protobuf;

/* The format of that name (option `format`); NULL: there is none. */
const ls_format_ops *ls_format_find(const char *name);

/* For an error: the format that a message seems to be of; NULL: it looks like none. */
const char *ls_format_guess(const char *p, size_t n);

/* Appends the Kafka key, whatever the format: the canonical text of one column; of several, or with schema and table, a JSON array of
 * canonical values; with object_key a JSON object of them. 1: there is a key; 0: none (NULL key); -1: error. A D with moved_to has the old
 * key, an I the new one. */
int ls_format_key(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err);

/* Is the change a row's, and not a whole table's? */
static inline bool ls_format_is_row(const ls_change *c) { return c->action == 'I' || c->action == 'U' || c->action == 'D'; }

/* A consumer's side: reads messages of any connector into a batch; remembers the tables' columns.
 * Values point into the message's bytes (which must live as long as the batch) or the batch's arena. */
typedef struct ls_decoder ls_decoder;

/* A message as Kafka has it. value NULL: a null message (a tombstone). */
typedef struct ls_incoming {
    const char *topic;
    const char *key, *value;
    size_t key_len, value_len;
    int64_t offset, time; /* time: milliseconds since 1970 UTC; -1: none */
    int32_t partition;
} ls_incoming;

ls_decoder *ls_decoder_new(ls_schemas *schemas); /* reads messages of the format "list_sync". NULL: memory */
/* Reads as option `decode` says: "list_sync", "protobuf", or "raw", which makes a row of any message: see docs/formats.md. NULL: memory. */
ls_decoder *ls_decoder_for(ls_schemas *schemas, const char *decode);
void ls_decoder_free(ls_decoder *d);
/* Adds one change, or of a null message none, unless it reads "raw". Errors name the offset or field in the message, what was wanted
 * there, and the mend. */
int ls_decoder_message(ls_decoder *d, ls_work *w, const ls_incoming *m, ls_error *err) LS_MUST_CHECK;
/* The same of a value alone. Not for "raw". */
int ls_decoder_read(ls_decoder *d, ls_work *w, const char *p, size_t n, ls_error *err) LS_MUST_CHECK;

#endif
