/* csv_io.h - files and folders as the CSV writer uses them. errno becomes an error here. */
#ifndef LS_CSV_IO_H
#define LS_CSV_IO_H

#include "write/writer.h"

/* errno as an error, with the mend. LS_AGAIN: the disk, or the user's share of it, is full; else LS_FAIL. Gives -1. */
int ls_csv_io_error(ls_error *err, const char *what, const char *path);
/* After a failure: is the disk full, and has it been waited for room (0)? -1: *err is final. */
int ls_csv_wait(const ls_csv_room *room, ls_error *err) LS_MUST_CHECK;
/* It has been written, after that. */
void ls_csv_found_room(const ls_csv_room *room);
/* One program writes a file: two would mix their rows, and repair what the other is about to write. LS_FENCED: another one does. */
int ls_csv_hold(int fd, const char *path, ls_error *err) LS_MUST_CHECK;
/* rename(), but nobody's file is written over: errno EEXIST. */
int ls_csv_rename_new(const char *from, const char *to) LS_MUST_CHECK;
/* What has been made, renamed or removed in the folder stays so ("": the one that the program runs in). */
int ls_csv_sync_folder(const char *folder, ls_error *err) LS_MUST_CHECK;
int ls_csv_make_folders(const char *path, ls_error *err) LS_MUST_CHECK; /* those of a file's path; the last one can be written to */

#endif
