/* csv_parts.h - what csv_file.c and csv_rotate.c, which know a part from inside, have of each other. */
#ifndef LS_CSV_PARTS_H
#define LS_CSV_PARTS_H

#include "write/csv_file.h"

/* csv_file.c */
ls_csv_part *ls_csv_new_part(ls_csv_files *f);           /* closed, without a path; NULL: memory */
int ls_csv_add_part(ls_csv_files *f, ls_csv_part *p) LS_MUST_CHECK; /* -1: memory */
void ls_csv_free_part(ls_csv_part *p);
void ls_csv_close_part(ls_csv_part *p);                  /* what it has gathered is thrown away */
int ls_csv_flush_part(ls_csv_part *p, ls_error *err) LS_MUST_CHECK;
int ls_csv_take_over(ls_csv_part *p, int fd, ls_error *err) LS_MUST_CHECK; /* a file that is there */
bool ls_csv_is_anothers(ls_csv_files *f, size_t number);
int ls_csv_removed(const ls_csv_part *p, ls_error *err); /* its file is gone; -1 */

/* csv_rotate.c */
enum { LS_CSV_SPAN_TEXT = 16 }; /* bytes of 20260131T140000Z */
bool ls_csv_read_span(const char *p, int64_t *span);      /* such a text, and maybe more behind it? */
bool ls_csv_rotates(const ls_csv_conf *conf);
int ls_csv_find_rotated(ls_csv_files *f, ls_error *err) LS_MUST_CHECK; /* the parts of a name that are being written; its last number */
int ls_csv_name_next(ls_csv_part *p, ls_error *err) LS_MUST_CHECK;     /* a new file for the part, not made yet */
bool ls_csv_is_full(const ls_csv_part *p, size_t more);   /* is there no room for a row of so many bytes? */
int ls_csv_finish(ls_csv_part *p, ls_error *err) LS_MUST_CHECK; /* its file is written, closed and has its own name */

#endif
