/* cases.h - a file of cases: rows that a stage's hooks are given, and what is wanted of them. It is Lua, in a lua_State of its own
 * beside the script's. One thread. */
#ifndef LS_CASES_H
#define LS_CASES_H

#include "change/batch.h"
#include "script/script.h"

typedef struct ls_cases ls_cases;

typedef struct ls_case { /* strings live as long as the ls_cases */
    const char *name;
    const char *stage; /* NULL: it names none */
    const char *path;  /* where it stands */
    int line;
    size_t nrows; /* that it gives */
} ls_case;

/* path NULL: no file, for recording. Errors are LS_USAGE with path:line. */
int ls_cases_open(ls_cases **out, const char *path, ls_error *err) LS_MUST_CHECK;
void ls_cases_close(ls_cases *c);
size_t ls_cases_count(const ls_cases *c);
const ls_case *ls_cases_at(const ls_cases *c, size_t i);

/* The schemas of the declared tables, made in reg, a reference each; of a name that is declared again each has its own. Given back by
 * ls_cases_drop_tables(). */
typedef struct ls_case_tables {
    const ls_schema **at;
    const bool **not_null; /* of each its columns: declared to be NOT NULL; the ls_cases' memory */
    size_t n;
} ls_case_tables;
int ls_cases_tables(ls_cases *c, ls_schemas *reg, ls_case_tables *out, ls_error *err) LS_MUST_CHECK;
void ls_cases_drop_tables(ls_case_tables *t);
/* The table that row r of case i is of, by its number in ls_case_tables. */
size_t ls_cases_table_of(const ls_cases *c, size_t i, size_t r);

/* Adds the rows that case i gives to w, as a source would. whole: of a table whose rows before are kept they come whole, so that what `old`
 * leaves out is NULL. LS_USAGE: a value is none of its column's. */
int ls_cases_give(ls_cases *c, size_t i, ls_work *w, const ls_case_tables *tables, bool whole, ls_error *err) LS_MUST_CHECK;

typedef struct ls_case_header {
    const char *name, *value; /* value NULL: a null one */
    size_t len;
} ls_case_header;
/* What a connector would send for a row of the batch, by its number in it; message NULL: it is dropped. */
typedef struct ls_case_message {
    const char *message, *key; /* key NULL: none */
    size_t message_len, key_len;
    const char *const *topics;
    size_t ntopics;
    const ls_case_header *headers;
    size_t nheaders;
} ls_case_message;
/* Appends what of the batch is not as case i wants it, a line each, with path:line. places: where the hooks are, or "". messages NULL: a
 * consumer's. 1: all is as wanted; 0; -1. */
int ls_cases_compare(ls_cases *c, size_t i, ls_batch *b, const char *places, const ls_case_message *messages, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* The same where the stage raised an error instead. */
int ls_cases_raised(ls_cases *c, size_t i, const char *why, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* Writes what those cases got into the file, where each has its `want`; *written: how many. LS_USAGE: not sure where that is, nothing is changed. */
int ls_cases_update(ls_cases *c, const size_t *failed, size_t n, size_t *written, ls_error *err) LS_MUST_CHECK;

/* Recording. Notes the batch's only row, before the hooks; then appends it and what they made of it as a case of the stage. */
int ls_cases_note(ls_cases *c, ls_batch *b, ls_error *err) LS_MUST_CHECK;
int ls_cases_record(ls_cases *c, const char *stage, ls_batch *b, ls_buf *out, ls_error *err) LS_MUST_CHECK;

#endif
