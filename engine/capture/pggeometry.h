/* pggeometry.h - PostGIS' EWKB -> the canonical geometry. Pure. */
#ifndef LS_PGGEOMETRY_H
#define LS_PGGEOMETRY_H

#include "base/buf.h"

#include <stdint.h>

enum { LS_PG_GEOMETRY_DEPTH = 200 }; /* geometries within geometries: PostGIS' own limit */

/* Appends {"srid":n,"wkb":"base64"} for n bytes of EWKB in either byte order. The WKB is ISO's: little endian, without an
 * SRID (0 is stated), Z, M and ZM as 1000, 2000 and 3000 added to the type. -1: no EWKB, or memory; the error names the byte. */
int ls_pg_geometry(ls_buf *out, const uint8_t *ewkb, size_t n, ls_error *err) LS_MUST_CHECK;

#endif
