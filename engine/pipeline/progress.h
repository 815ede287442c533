/* progress.h - a connector's checkpoint: its content, and the JSON that stands in the offsets topic.
 *
 *   {"v":1,"state":"creating"|"running","instance":uuid,"generation":n,"server":{...},"epoch":0,"restart":{...},
 *    "delivered":{"pos":"...","seq":n},"tables":{},"sent":["schema.table","topic",...],"options":hex}
 *
 * restart is {"lsn":"0/2A1F00"} on PostgreSQL, {"file":"binlog.000003","pos":1234,"gtid":"0-1-5","created":1732313405} on the binlog, where
 * delivered has the transaction's "gtid", too, unless it takes more than that to tell what is delivered. */
#ifndef LS_PROGRESS_H
#define LS_PROGRESS_H

#include "base/buf.h"
#include "capture/source.h"
#include "change/place.h"

typedef struct ls_progress {
    bool creating; /* the slot was about to be made; nothing was sent yet */
    char instance[37]; /* uuid of the program that wrote it */
    uint64_t generation; /* grows with each start */
    uint64_t epoch;
    ls_source_identity server;
    ls_place restart; /* place.gtid is not used: see gtid */
    ls_buf gtid;      /* the GTID position at restart; owned */
    char delivered_pos[40];
    char delivered_gtid[LS_GTID_TEXT]; /* see ls_resume */
    uint64_t delivered_seq;
    ls_buf tables;    /* the captured tables with an exact name: "schema.table":{}, ... ; owned */
    ls_buf sent;      /* "schema.table","topic", ... : where functions of the script sent rows; owned */
    uint64_t options; /* hash of what changes the count of rows in a transaction */
} ls_progress;

void ls_progress_free(ls_progress *p);
/* Appends the JSON. */
void ls_progress_write(const ls_progress *p, ls_buf *out);
/* Reads one; LS_FAIL, naming what is wrong, when it is not one that this version can continue from. */
int ls_progress_read(ls_progress *p, const char *json, size_t n, ls_error *err) LS_MUST_CHECK;
/* For people: "0/2A1F00" or "binlog.000003:1234". */
void ls_progress_title(const ls_progress *p, char out[64]);
/* Is the delivered row inside a transaction that restart has not passed? */
bool ls_progress_mid_transaction(const ls_progress *p);
/* A failure for want of memory shows in tables.failed. */
void ls_progress_add_table(ls_progress *p, const char *schema, const char *table);
void ls_progress_new_instance(ls_progress *p); /* a fresh uuid, generation + 1 */

#endif
