#!/usr/bin/python3
"""What a consumer in another language makes of messages of the format "protobuf": with the classes that protoc made of change.proto.

  protobuf_json.py FOLDER     FOLDER: of change_pb2.py; a message in hex a line comes in, a list_sync message as JSON goes out

Debian's own Python runs it, which python3-protobuf belongs to."""
import base64
import json
import math
import struct
import sys

sys.path.insert(0, sys.argv[1])
from change_pb2 import Change, Column  # noqa: E402

ACTIONS = {Change.ACTION_INSERT: "I", Change.ACTION_UPDATE: "U", Change.ACTION_DELETE: "D", Change.ACTION_TRUNCATE: "T",
           Change.ACTION_DROP_TABLE: "X", Change.ACTION_DROP_DATABASE: "X", Change.ACTION_RENAME_TABLE: "R"}


def single(f):
    """The shortest digits that give the same number of 32 bits."""
    return next(float(text) for text in ("%.*g" % (n, f) for n in range(1, 18)) if struct.unpack("f", struct.pack("f", float(text)))[0] == f)


def number(f):
    if math.isnan(f):
        return "NaN"
    return ("-" if f < 0 else "") + "Infinity" if math.isinf(f) else f


def value(c):
    kind = c.WhichOneof("value")
    held = getattr(c, kind)
    if kind == "null_value":
        return None
    if kind == "bytes_value":
        return base64.b64encode(held).decode()
    if kind == "json_value" and c.type != Column.TYPE_JSON:
        return json.loads(held)
    if kind == "float_value" and math.isfinite(held):
        return single(held)
    return number(held) if kind in ("double_value", "float_value") else held


def columns(of):
    return [{"name": c.name, "value": value(c), "type": Column.Type.Name(c.type)[5:].lower()} for c in of]


def message(c):
    out = {"action": ACTIONS[c.action], "schema": c.schema, "table": None if c.action == Change.ACTION_DROP_DATABASE else c.table}
    if c.action == Change.ACTION_RENAME_TABLE:
        out.update(to_schema=c.to_schema, to_table=c.to_table)
    if c.pk:
        out["pk"] = [{"name": name} for name in c.pk]
    for section in ("columns", "moved_from", "identity", "moved_to"):
        if getattr(c, section):
            out[section] = columns(getattr(c, section))
    if c.unchanged:
        out["unchanged"] = list(c.unchanged)
    if c.HasField("source"):
        s = c.source
        out["source"] = {"v": s.v, "connector": s.connector, "db": s.db, "ts": s.ts, "tx": s.tx, "pos": s.pos, "seq": s.seq}
        if s.sub:
            out["source"]["sub"] = s.sub
        if s.snapshot:
            out["source"]["snapshot"] = True
    return out


for line in sys.stdin:
    change = Change()
    change.ParseFromString(bytes.fromhex(line))
    print(json.dumps(message(change)))
