/* csv_keep.h - files that have each row once (delivery = "exactly_once"): the manifest beside them, and what is done by it. One thread.
 *
 * The manifest on the disk is the only authority. It is written anew beside itself, made to stay (fsync) and renamed. It holds how far each
 * partition was in the files, and the length of each file that may have been written to since. A start cuts these files back to it and
 * reads on from there. So the order is always:
 *   - before the first byte goes to a file that the manifest does not name, or before it is made, the manifest names it;
 *   - before the manifest counts rows, they and the names of their files are made to stay;
 *   - a file that has ended gets its own name after the manifest has said so, and leaves the manifest when that name is made to stay.
 * A file that the manifest does not name is whole. One that got no row for a time leaves the manifest, so that it stays small. */
#ifndef LS_CSV_KEEP_H
#define LS_CSV_KEEP_H

#include "write/manifest.h"
#include "write/writer.h"

enum { LS_CSV_SETTLE_MS = 600000 }; /* a file that got no row for so long leaves the manifest */

typedef struct ls_csv_keep ls_csv_keep;

/* Takes the manifest's lock (LS_FENCED: another program has it), reads it, and brings the files back to it. LS_USAGE: it was written with other
 * `instances`; LS_LOST: it cannot be read, files are missing or shorter, or there are files of these names and no manifest. conf: with
 * `keep` set; what it points to is borrowed for the keep's life. */
int ls_csv_keep_open(ls_csv_keep **out, const ls_csv_conf *conf, ls_error *err) LS_MUST_CHECK;
void ls_csv_keep_close(ls_csv_keep *k); /* NULL is fine; what was not committed does not count */
/* For a writer without a manifest (conf without `keep`): LS_USAGE if there is one. */
int ls_csv_keep_refuse(const ls_csv_conf *conf, ls_error *err) LS_MUST_CHECK;

/* The file is not what the manifest says: LS_LOST. */
int ls_csv_keep_lost(const ls_csv_keep *k, const char *path, const char *what, ls_error *err);
const char *ls_csv_keep_path(const ls_csv_keep *k); /* the manifest's */
const ls_manifest *ls_csv_keep_found(const ls_csv_keep *k); /* what the start has found: its files are not looked at; all zero: nothing */
/* A path's hash that stays when the folder is moved. */
uint64_t ls_csv_keep_hash(const ls_csv_keep *k, const char *path);

/* Does the keep know the file? *length: what it has, bytes. */
bool ls_csv_keep_has(const ls_csv_keep *k, const char *path, uint64_t *length);
/* Has it ended, and waits for its name? */
bool ls_csv_keep_has_ended(const ls_csv_keep *k, const char *path);
/* Rows are to go to a file that it does not know: one that is there, of so many bytes, or (fresh) one that is made then. LS_LOST: it knows it, so
 * that the file was taken away. */
int ls_csv_keep_add(ls_csv_keep *k, const char *path, bool fresh, uint64_t length, ls_error *err) LS_MUST_CHECK;
/* Are there files that the manifest on the disk does not name yet? Then names them all. */
bool ls_csv_keep_waits(const ls_csv_keep *k);
int ls_csv_keep_name(ls_csv_keep *k, ls_error *err) LS_MUST_CHECK;
void ls_csv_keep_wrote(ls_csv_keep *k, const char *path, size_t n);
/* The file is made (or, made false, could not be: it is forgotten). */
int ls_csv_keep_made(ls_csv_keep *k, const char *path, bool made, ls_error *err) LS_MUST_CHECK;
/* The file gets no more rows; the first end_len bytes of its path are its name when that is committed. */
int ls_csv_keep_end(ls_csv_keep *k, const char *path, size_t end_len, ls_error *err) LS_MUST_CHECK;
/* Has the file bytes that may not stay yet? They have been made to by the caller, who has it open. */
bool ls_csv_keep_is_unsynced(const ls_csv_keep *k, const char *path);
void ls_csv_keep_synced(ls_csv_keep *k, const char *path);

typedef struct ls_csv_commit {
    const ls_position *at; /* where the partitions have got to */
    size_t n;
    int64_t span;                           /* of ls_csv_disk; LS_CSV_NO_SPAN: none */
    const ls_manifest_truncate *truncates;  /* the oldest first */
    size_t ntruncates;
} ls_csv_commit;

/* All rows handed over so far count from now on. After -1 but LS_AGAIN none of them does, until a start. */
int ls_csv_keep_commit(ls_csv_keep *k, const ls_csv_commit *c, ls_error *err) LS_MUST_CHECK;

#endif
