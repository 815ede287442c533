/* binlog_map_parts.h - what the files that read table maps share. Private to them. */
#ifndef LS_BINLOG_MAP_PARTS_H
#define LS_BINLOG_MAP_PARTS_H

#include "capture/binlog_map.h"

/* What reading a map needs beside its bytes. */
typedef struct ls_map_reader {
    const ls_binlog_conf *conf;
    ls_charsets *charsets;
} ls_map_reader;

/* The character set of a collation; *out NULL: it is not converted. */
int ls_map_charset(const ls_map_reader *r, uint32_t collation, const ls_charset **out, ls_error *err) LS_MUST_CHECK;
/* binlog_metadata.c: a captured table's optional metadata, behind its columns' codes: names, signs, collations, labels, key. */
int ls_map_metadata(const ls_map_reader *r, ls_map *m, ls_cursor *in, ls_error *err) LS_MUST_CHECK;
/* binlog_resolve.c: the columns' types, as far as the log says them. */
int ls_map_resolve(const ls_map_reader *r, ls_map *map, ls_error *err) LS_MUST_CHECK;
/* Before rows are decoded: refuses what cannot be, asks for what the log does not say, and makes the schema. */
int ls_map_complete(const ls_map_reader *r, ls_map *map, ls_error *err) LS_MUST_CHECK;

#endif
