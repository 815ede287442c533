/* csv_conf.h - a CSV writer's options, as the script has them, in the writer's own structs. */
#ifndef LS_CSV_CONF_H
#define LS_CSV_CONF_H

#include "script/config.h"
#include "write/writer.h"

/* Without layouts. Borrows all that it is given. */
ls_csv_conf ls_csv_conf_of(const ls_csv_options *o, const char *consumer, const ls_log *log);
/* o->nlayouts of them, which the caller frees; *out NULL: there are none. -1: memory. */
int ls_csv_layouts_of(ls_csv_layout **out, const ls_csv_options *o, const char *consumer, const ls_log *log, ls_error *err) LS_MUST_CHECK;

#endif
