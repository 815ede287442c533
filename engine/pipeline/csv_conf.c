#include "pipeline/csv_conf.h"

#include <stdlib.h>
#include <string.h>

ls_csv_conf ls_csv_conf_of(const ls_csv_options *o, const char *consumer, const ls_log *log) {
    return (ls_csv_conf){.filename = o->filename,
                         .consumer = consumer,
                         .max_open_files = o->max_open_files,
                         .rotate_bytes = o->rotate_bytes,
                         .rotate_rows = o->rotate_rows,
                         .rotate_every = (int64_t)o->rotate_every,
                         .compress = !o->compress ? LS_CSV_PLAIN : strcmp(o->compress, "zstd") == 0 ? LS_CSV_ZSTD : LS_CSV_GZIP,
                         .split_files = o->split_files,
                         .header = o->header,
                         .bom = o->bom,
                         .formula_guard = o->formula_guard,
                         .bare = !o->prefix,
                         .delimiter = o->delimiter,
                         .quote = o->quote,
                         .newline = o->newline,
                         .log = log,
                         .null_text = o->null_text,
                         .absent_text = o->absent_text};
}

int ls_csv_layouts_of(ls_csv_layout **out, const ls_csv_options *o, const char *consumer, const ls_log *log, ls_error *err) {
    *out = o->nlayouts ? calloc(o->nlayouts, sizeof **out) : NULL;
    if (o->nlayouts && !*out) return ls_fail_memory(err, "opening CSV files");
    for (size_t i = 0; i < o->nlayouts; i++)
        (*out)[i] = (ls_csv_layout){.what = o->layouts[i].what, .conf = ls_csv_conf_of(&o->layouts[i].csv, consumer, log)};
    return 0;
}
