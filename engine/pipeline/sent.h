/* sent.h - to which topics the rows of which tables went, where a function of the script says it: a table's truncate follows them, in later
 * runs too, so that the checkpoint has it. Capture thread only. */
#ifndef LS_SENT_H
#define LS_SENT_H

#include "base/names.h"
#include "change/schema.h"
#include "kafka/producer.h"
#include "pipeline/progress.h"

enum { LS_SENT_STORED = 8192 }; /* pairs in a checkpoint: it is stored each second, and stays below 1 MiB */

typedef struct ls_sent { /* zeroed: empty */
    ls_names pairs;  /* "schema.table\0topic" */
    uint32_t stored; /* so many of them are in the checkpoint, on the way there, or too many for it */
    ls_buf text;
} ls_sent;

/* Takes over what the checkpoint has, and takes out of it the topics that are no more. */
int ls_sent_read(ls_sent *s, ls_progress *p, ls_producer *producer, ls_error *err) LS_MUST_CHECK;
/* Rows of the table go to the topic. -1: memory. */
int ls_sent_note(ls_sent *s, const char *schema, const char *table, const char *topic, size_t len) LS_MUST_CHECK;
/* The topic of pair i, if the table is this one, or one of this database (its name is empty); else NULL. Valid until a pair is added. */
const char *ls_sent_topic_of(const ls_sent *s, uint32_t i, const ls_schema *table);
/* Appends pair i as the checkpoint has it. */
void ls_sent_write(const ls_sent *s, uint32_t i, ls_buf *out);
void ls_sent_free(ls_sent *s);

#endif
