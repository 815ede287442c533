/* csv_route.h - which files a change's rows go to: always the same, or as a template says. */
#ifndef LS_CSV_ROUTE_H
#define LS_CSV_ROUTE_H

#include "change/batch.h"
#include "write/csv_file.h"

enum { LS_CSV_ROUTES = LS_LIMIT(256, 2) }; /* routes remembered, so that a template is not filled in for each row */

typedef struct ls_csv_route {
    ls_csv_files *inserts, *deletes; /* one and the same without split_files */
} ls_csv_route;

typedef struct ls_csv_routes {
    ls_csv_disk *disk; /* borrowed, as conf */
    const ls_csv_conf *conf;
    int uses; /* enum ls_path_use; 0: filename is no template */
    ls_csv_route always;
    struct {
        uint32_t schema; /* its id; 0: empty */
        int32_t partition;
        const char *topic; /* of `topics` */
        int64_t hour;      /* since 1970 */
        ls_csv_route route;
    } recent[LS_CSV_ROUTES];
    char **topics; /* seen so far: there are no more of them than the consumer reads */
    size_t ntopics;
} ls_csv_routes;

int ls_csv_routes_open(ls_csv_routes *r, ls_csv_disk *d, const ls_csv_conf *conf, ls_error *err) LS_MUST_CHECK;
int ls_csv_routes_find(ls_csv_routes *r, const ls_change *c, ls_csv_route *out, ls_error *err) LS_MUST_CHECK;
int ls_csv_routes_again(ls_csv_routes *r, ls_error *err) LS_MUST_CHECK; /* the disk has been closed: its files are found anew */
void ls_csv_routes_close(ls_csv_routes *r);

#endif
