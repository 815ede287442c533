/* wal2json_shape.h - does a shape fit a message, and which does? Part of the decoder's tables. */
#ifndef LS_WAL2JSON_SHAPE_H
#define LS_WAL2JSON_SHAPE_H

#include "capture/wal2json_table.h"

/* tx: the message's transaction. */
bool ls_w2j_shape_fits(const ls_w2j_table *t, const ls_w2j_message *m, const ls_pg_tx *tx);
/* Gives t the shape that fits m, a message of transaction xid, by what the catalog says. */
int ls_w2j_shape_make(ls_w2j_tables *r, ls_w2j_table *t, const ls_w2j_message *m, uint32_t xid, const ls_wal2json_facts *facts,
                      ls_error *err) LS_MUST_CHECK;

#endif
