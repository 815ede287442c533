/* csv_find.h - files on the disk that a writer's confs may have made. One thread. */
#ifndef LS_CSV_FIND_H
#define LS_CSV_FIND_H

#include "write/csv_file.h"

/* Is there a file, ended or not, that this writer's options, or those of a layout, make? 1: *out is one, to be freed; 0; -1. */
int ls_csv_find_any(const ls_csv_conf *conf, char **out, ls_error *err) LS_MUST_CHECK;

#endif
