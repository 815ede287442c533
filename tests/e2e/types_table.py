#!/usr/bin/env python3
"""Types of the servers, values of them in SQL, and the JSON that the messages have: what the end-to-end tests run and what docs/types.md
lists.

  tests/e2e/types_table.py            writes the lists of docs/types.md anew, below the line that says so
"""
import os

SAME = "as MariaDB"

# column, type on PostgreSQL, on MariaDB, on MySQL (SAME: MariaDB's; None: not there), [(SQL, JSON text)]. The SQL is one for all, or a pair:
# PostgreSQL's, the others'. A column that all have must come in the same bytes from all.
TYPES = (
    ("i2", "smallint", "smallint", SAME, (("-32768", "-32768"), ("32767", "32767"), ("0", "0"))),
    ("i4", "integer", "integer", SAME, (("-2147483648", "-2147483648"), ("2147483647", "2147483647"))),
    ("i8", "bigint", "bigint", SAME, (("-9223372036854775808", "-9223372036854775808"), ("9223372036854775807", "9223372036854775807"), ("9007199254740993", "9007199254740993"))),
    ("f4", "real", "float", SAME, (("1.5", "1.5"), ("-0.1", "-0.1"), ("3.4028234e38", "3.4028235e+38"), ("1e-7", "1e-7"), ("16777216", "16777216"), ("1e21", "1e+21"))),
    ("f8", "double precision", "double", SAME, (("0.1", "0.1"), ("-2.5", "-2.5"), ("1.7976931348623157e308", "1.7976931348623157e+308"), ("2.2250738585072014e-308", "2.2250738585072014e-308"),
                                          ("123456789012345680000", "123456789012345680000"), ("1e21", "1e+21"), ("1e-6", "0.000001"), ("1e-7", "1e-7"), ("100", "100"))),
    ("d", "numeric(20,5)", "decimal(20,5)", SAME, (("12.5", '"12.50000"'), ("-0.00001", '"-0.00001"'), ("0", '"0.00000"'), ("999999999999999.99999", '"999999999999999.99999"'))),
    ("d0", "numeric(38,0)", "decimal(38,0)", SAME, (("12345678901234567890123456789012345678", '"12345678901234567890123456789012345678"'), ("-7", '"-7"'))),
    ("v", "varchar(60)", "varchar(60)", SAME, (("'plain'", '"plain"'), ("''", '""'), ("'a\"b'", r'"a\"b"'), ("'é € 😀'", '"é € 😀"'), ("'  spaces  '", '"  spaces  "'),
                                         ((r"E'tab\there\nand \\ \x01\x1f\x7f'", r"'tab\there\nand \\ " "\x01\x1f\x7f'"), '"tab\\there\\nand \\\\ \\u0001\\u001f\x7f"'))),
    ("t", "text", "longtext", SAME, (("repeat('x', 300)", '"' + "x" * 300 + '"'), ("'/'", '"/"'))),
    ("c", "char(10)", "char(10)", SAME, (("'ab'", '"ab"'), ("'ab   '", '"ab"'), ("''", '""'))),
    ("b", "bytea", "longblob", SAME, ((("'\\x'", "x''"), '""'), (("'\\x00ff10'", "x'00ff10'"), '"AP8Q"'), (("'\\xdeadbeef'", "x'deadbeef'"), '"3q2+7w=="'))),
    ("dt", "date", "date", SAME, (("'2026-02-28'", '"2026-02-28"'), ("'0999-12-31'", '"0999-12-31"'), ("'9999-12-31'", '"9999-12-31"'))),
    ("ti", "time(6)", "time(6)", SAME, (("'01:02:03'", '"01:02:03"'), ("'23:59:59.999999'", '"23:59:59.999999"'), ("'01:02:03.450000'", '"01:02:03.45"'))),
    ("ts", "timestamp(6)", "datetime(6)", SAME, (("'2026-01-02 03:04:05'", '"2026-01-02T03:04:05"'), ("'1969-12-31 23:59:59.000001'", '"1969-12-31T23:59:59.000001"'),
                                           ("'9999-12-31 23:59:59.5'", '"9999-12-31T23:59:59.5"'))),

    # PostgreSQL
    ("o", "oid", None, None, (("4294967295", "4294967295"),)),
    ("bo", "boolean", None, None, (("true", "true"), ("false", "false"))),
    ("f4", "real", None, None, (("'NaN'", '"NaN"'), ("'-Infinity'", '"-Infinity"'), ("'-0'", "-0"))),
    ("f8", "double precision", None, None, (("'NaN'", '"NaN"'), ("'Infinity'", '"Infinity"'), ("'-0'", "-0"), ("5e-324", "5e-324"))),
    ("n", "numeric", None, None, (("'NaN'", '"NaN"'), ("'Infinity'", '"Infinity"'), ("1e20", '"100000000000000000000"'), ("1.10", '"1.10"'), ("-0.000", '"0.000"'))),
    ("dt", "date", None, None, (("'infinity'", '"infinity"'), ("'-infinity'", '"-infinity"'), ("'0044-03-15 BC'", '"0044-03-15 BC"'), ("'12026-01-01'", '"12026-01-01"'))),
    ("ts", "timestamp", None, None, (("'infinity'", '"infinity"'), ("'0001-01-01 00:00:00 BC'", '"0001-01-01T00:00:00 BC"'), ("'294276-12-31 23:59:59.999999'", '"294276-12-31T23:59:59.999999"'))),
    ("tz", "timestamptz", None, None, (("'2026-07-01 12:00:00.5+02'", '"2026-07-01T10:00:00.5Z"'), ("'infinity'", '"infinity"'), ("'1970-01-01 00:00:00+00'", '"1970-01-01T00:00:00Z"'))),
    ("ti", "time", None, None, (("'24:00:00'", '"24:00:00"'),)),
    ("u", "unknown_enum", None, None, (("'a ''quoted'' one'", '"a \'quoted\' one"'),)),
    ("m", "money", None, None, (("12345.67::numeric::money", '"12345.67"'), ("(-92233720368547758.08)::money", '"-92233720368547758.08"'), ("0.5::numeric::money", '"0.50"'))),
    ("ttz", "timetz", None, None, (("'04:05:06.789-8'", '"04:05:06.789-08"'), ("'040506+07:30:00'", '"04:05:06+07:30"'), ("'24:00:00.000-00'", '"24:00:00+00"'))),
    ("iv", "interval", None, None, (("'1-2'", '"P1Y2M"'), ("'3 4:05:06'", '"P3DT4H5M6S"'), ("'-1-2 +3 -4:05:06'", '"P-1Y-2M3DT-4H-5M-6S"'), ("'0.000001 seconds'", '"PT0.000001S"'), ("'0'", '"PT0S"'))),
    ("uu", "uuid", None, None, (("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'), ("'{a0eebc999c0b4ef8bb6d6bb9bd380a11}'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'))),
    ("js", "json", None, None, (("""'{"bar": "baz", "balance": 7.77, "active":false}'""", r'"{\"bar\":\"baz\",\"balance\":7.77,\"active\":false}"'), ("""'{"reading": 1.230e-5}'""", r'"{\"reading\":1.230e-5}"'),
                    ("""E'[ 1 ,\\n\\t" a : b " ]'""", r'"[1,\" a : b \"]"'), ("'null'", '"null"'))),
    ("jb", "jsonb", None, None, (("""'{"bar": "baz", "balance": 7.77, "active":false}'""", r'"{\"bar\":\"baz\",\"active\":false,\"balance\":7.77}"'), ("""'{"reading": 1.230e-5}'""", r'"{\"reading\":0.00001230}"'),
                     (r"""'"a\"b \\ \u00e9"'""", r'"\"a\\\"b \\\\ é\""'))),
    ("bi", "bit(3)", None, None, (("B'101'", '"101"'), ("B'10'::bit(3)", '"100"'))),
    ("vb", "bit varying(5)", None, None, (("B'00'", '"00"'), ("B''", '""'), ("B'10101'", '"10101"'))),
    ("ch", '"char"', None, None, (("'c'", '"c"'), ("''", '""'))),
    ("na", "name", None, None, (("'a name'", '"a name"'),)),
    ("ine", "inet", None, None, (("'192.168.0.1/24'", '"192.168.0.1/24"'), ("'::ffff:1.2.3.0/120'", '"::ffff:1.2.3.0/120"'))),
    ("ci", "cidr", None, None, (("'10.1.2'", '"10.1.2.0/24"'),)),
    ("ma", "macaddr", None, None, (("'08-00-2b-01-02-03'", '"08:00:2b:01:02:03"'),)),
    ("po", "point", None, None, (("'(1.5,-2)'", '"(1.5,-2)"'),)),
    ("bx", "box", None, None, (("'(0,0),(1,1)'", '"(1,1),(0,0)"'),)),
    ("r4", "int4range", None, None, (("'(3,7)'", '"[4,7)"'), ("'empty'", '"empty"'), ("'[,5]'", '"(,6)"'))),
    ("rt", "tstzrange", None, None, (("'[2010-01-01 14:30+02, 2010-01-01 15:30+02)'", r'"[\"2010-01-01 12:30:00+00\",\"2010-01-01 13:30:00+00\")"'),)),
    ("rm", "int4multirange", None, None, (("'{[3,7), [8,9)}'", '"{[3,7),[8,9)}"'), ("'{}'", '"{}"'))),
    ("tv", "tsvector", None, None, (("'a fat cat'", "\"'a' 'cat' 'fat'\""),)),
    ("x", "xml", None, None, (("'<foo>bar</foo>'", '"<foo>bar</foo>"'),)),
    ("ls", "pg_lsn", None, None, (("'16/B374D848'", '"16/B374D848"'),)),
    ("iw", "int2vector", None, None, (("'1 2 3'", '"1 2 3"'),)),
    ("co", "inventory_item", None, None, (("row('fuzzy dice', 42, 1.99)", r'"(\"fuzzy dice\",42,1.99)"'), ("row('', null, null)", r'"(\"\",,)"'))),
    ("di", "posint", None, None, (("7", "7"),)),
    ("dd", "posint_of_posint", None, None, (("9", "9"),)),
    ("da", "pair", None, None, (("'{1,2}'", "[1,2]"), ("'{NULL,3}'", "[null,3]"))),
    ("hs", "hstore", None, None, (("'\"1-a\" => \"anything at all\"'", r'"\"1-a\"=>\"anything at all\""'),)),
    ("rg", "regtype", None, None, (("'int4'", '"integer"'), ("'unknown_enum'", '"public.unknown_enum"'))),
    ("rc", "regclass", None, None, (("'pg_class'", '"pg_class"'), ("'information_schema.tables'", '"information_schema.tables"'))),
    ("ns", "numeric(5,-2)", None, None, (("12345", '"12300"'), ("-49", '"0"'))),
    ("sn", "pg_snapshot", None, None, (("'10:20:10,14'", '"10:20:10,14"'),)),
    ("ct", "citext", None, None, (("'Larry'", '"Larry"'),)),
    ("lt", "ltree", None, None, (("'Top.Countries.Europe'", '"Top.Countries.Europe"'),)),
    ("ai", "integer[]", None, None, (("'{{1,2,3},{4,5,6},{7,8,9}}'", "[[1,2,3],[4,5,6],[7,8,9]]"), ("'{}'", "[]"), ("'{1,NULL}'", "[1,null]"), ("'[1:1][-2:-1][3:5]={{{1,2,3},{4,5,6}}}'", "[[[1,2,3],[4,5,6]]]"))),
    ("at", "text[]", None, None, (("""'{"meeting", "lunch"}'""", '["meeting","lunch"]'), ("""array['', 'NULL', null, 'a,b', 'a"b', 'a\\b', '{x}', ' ', E'\\n', 'é 😀']""", r'["","NULL",null,"a,b","a\"b","a\\b","{x}"," ","\n","é 😀"]'))),
    ("ac", "char(4)[]", None, None, (("array['ab', '']", '["ab  ","    "]'),)),
    ("ax", "bytea[]", None, None, ((r"array['\x00ff10'::bytea, '']", '["AP8Q",""]'),)),
    ("ao", "boolean[]", None, None, (("'{t,f,NULL}'", "[true,false,null]"),)),
    ("af", "double precision[]", None, None, (("'{0.1,NaN,-Infinity,1e20,1e21,-0,7.120236347223045e-307}'", '[0.1,"NaN","-Infinity",100000000000000000000,1e+21,-0,7.120236347223045e-307]'),)),
    ("ar", "real[]", None, None, (("'{0.1,1.2621775e-29}'", "[0.1,1.2621775e-29]"),)),
    ("an", "numeric[]", None, None, (("'{1.10,NaN,-Infinity}'", '["1.10","NaN","-Infinity"]'),)),
    ("ay", "money[]", None, None, (("array[1234.5::numeric::money, (-0.05)::numeric::money]", '["1234.50","-0.05"]'),)),
    ("ad", "date[]", None, None, (("'{2026-01-31,infinity,0044-03-15 BC}'", '["2026-01-31","infinity","0044-03-15 BC"]'),)),
    ("az", "timestamptz[]", None, None, (("array['2026-07-01 12:00:00.5+02'::timestamptz]", '["2026-07-01T10:00:00.5Z"]'),)),
    ("av", "interval[]", None, None, (("array['1 day'::interval, '-2 hours']", '["P1D","PT-2H"]'),)),
    ("aj", "jsonb[]", None, None, (("""array['{"a": [1, 2]}'::jsonb, 'null', null]""", r'["{\"a\":[1,2]}","null",null]'),)),
    ("au", "uuid[]", None, None, (("array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]", '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]'),)),
    ("ab", "bit varying(5)[]", None, None, (("array[B'00', B'1']", '["00","1"]'),)),
    ("axb", "box[]", None, None, (("'{(1,1),(0,0);(3,3),(2,2)}'", '["(1,1),(0,0)","(3,3),(2,2)"]'),)),
    ("arr", "int4range[]", None, None, (("""'{"[1,4)",empty}'""", '["[1,4)","empty"]'),)),
    ("ae", "unknown_enum[]", None, None, (("array['a ''quoted'' one', 'NULL']::unknown_enum[]", '["a \'quoted\' one","NULL"]'),)),
    ("acx", "inventory_item[]", None, None, (("array[row('fuzzy \"dice\"', 42, 1.99)::inventory_item, null]", r'["(\"fuzzy \"\"dice\"\"\",42,1.99)",null]'),)),
    ("adi", "posint[]", None, None, (("'{1,2}'", "[1,2]"),)),
    ("ada", "pair[]", None, None, (("""'{"{1,2}",NULL,"{NULL,3}"}'""", "[[1,2],null,[null,3]]"),)),
    ("ahs", "hstore[]", None, None, (("array['a=>1'::hstore]", r'["\"a\"=>\"1\""]'),)),

    # MariaDB and MySQL
    ("i1", None, "tinyint", SAME, (("-128", "-128"), ("127", "127"))),
    ("u1", None, "tinyint unsigned", SAME, (("255", "255"),)),
    ("bo", None, "boolean", SAME, (("true", "1"), ("false", "0"))),
    ("u2", None, "smallint unsigned", SAME, (("65535", "65535"),)),
    ("i3", None, "mediumint", SAME, (("-8388608", "-8388608"), ("8388607", "8388607"))),
    ("u3", None, "mediumint unsigned", SAME, (("16777215", "16777215"),)),
    ("u4", None, "int unsigned", SAME, (("4294967295", "4294967295"),)),
    ("u8", None, "bigint unsigned", SAME, (("18446744073709551615", "18446744073709551615"), ("9223372036854775808", "9223372036854775808"))),
    ("y", None, "year", SAME, (("2026", "2026"), ("0", "0"))),
    ("ud", None, "decimal(65,30) unsigned", SAME, (("1", '"1.' + "0" * 30 + '"'), ("12345678901234567890123456789012345.000000000000000000000000000001",
                                                                     '"12345678901234567890123456789012345.000000000000000000000000000001"'))),
    ("bi", None, "binary(4)", SAME, (("x'0100'", '"AQAAAA=="'), ("x'00000000'", '"AAAAAA=="'))),
    ("vb", None, "varbinary(300)", SAME, (("x'0100'", '"AQA="'), ("repeat('a', 300)", '"' + "YWFh" * 100 + '"'))),
    ("l1", None, "varchar(20) character set latin1", SAME, (("'é€ÿ'", '"é€ÿ"'),)),
    ("tt", None, "tinytext", SAME, (("'x'", '"x"'),)),
    ("mt", None, "mediumtext character set ucs2", SAME, (("'é'", '"é"'),)),
    ("dt", None, "date", SAME, (("'0000-00-00'", '"0000-00-00"'), ("'2026-00-00'", '"2026-00-00"'))),
    ("dm", None, "datetime(3)", SAME, (("'2026-01-02 03:04:05.678'", '"2026-01-02T03:04:05.678"'), ("'0000-00-00 00:00:00'", '"0000-00-00T00:00:00"'))),
    ("ti", None, "time(2)", SAME, (("'-01:02:03.45'", '"-01:02:03.45"'), ("'838:59:59'", '"838:59:59"'), ("'-838:59:59'", '"-838:59:59"'))),
    ("tz", None, "timestamp(6) null", SAME, (("'2026-07-01 10:00:00.5'", '"2026-07-01T10:00:00.5Z"'), ("'1970-01-01 00:00:01'", '"1970-01-01T00:00:01Z"'))),
    ("en", None, "enum('x','b \"c\"','é','')", SAME, (("'x'", '"x"'), ("2", r'"b \"c\""'), ("'é'", '"é"'), ("''", '""'), ("'none of them'", '""'))),
    ("el", None, "enum('é','ü') character set latin1", SAME, (("'ü'", '"ü"'),)),
    ("ej", None, "enum('表','ソ') character set sjis", SAME, (("'ソ'", '"ソ"'), ("'表'", '"表"'))),
    ("e2", None, "enum(%s)" % ",".join("'v%d'" % i for i in range(1, 301)), SAME, (("'v1'", '"v1"'), ("300", '"v300"'))),
    ("st", None, "set('a','b \"c\"','é')", SAME, (("''", "[]"), ("'a'", '["a"]'), ("'é,a'", '["a","é"]'), ("7", r'["a","b \"c\"","é"]'))),
    ("s64", None, "set(%s)" % ",".join("'l%d'" % i for i in range(1, 65)), SAME, (("'l1,l64'", '["l1","l64"]'), ("9223372036854775808", '["l64"]'))),
    ("sg", None, "set('你','好') character set gbk", SAME, (("'好'", '["好"]'),)),
    ("b1", None, "bit(1)", SAME, (("1", '"1"'), ("0", '"0"'))),
    ("b10", None, "bit(10)", SAME, (("b'1000000001'", '"1000000001"'), ("5", '"0000000101"'))),
    ("b64", None, "bit(64)", SAME, (("18446744073709551615", '"' + "1" * 64 + '"'), ("1", '"' + "0" * 63 + '1"'))),
    ("y4", None, "year(4)", SAME, (("1901", "1901"), ("2155", "2155"))),
    ("gp", None, "point", SAME, (("point(1, 2)", '{"srid":0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'),)),
    ("gs", None, "point", None, (("st_geomfromtext('POINT(1 2)', 4326)", '{"srid":4326,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'),)),
    ("gc", None, "geometrycollection", SAME, (("st_geomfromtext('GEOMETRYCOLLECTION EMPTY')", '{"srid":0,"wkb":"AQcAAAAAAAAA"}'),)),
    ("gl", None, "geometry", SAME, (("st_geomfromtext('LINESTRING(0 0,1 1)')", '{"srid":0,"wkb":"AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8="}'),)),
    ("js", None, "json", None, ((r"""' { "a" : [ 1 , 2.50 ], "b c" : "x y" } '""", r'"{\"a\":[1,2.50],\"b c\":\"x y\"}"'), ("'null'", '"null"'), ("'[]'", '"[]"'), (r"""'"\\u00e9"'""", r'"\"\\u00e9\""'))),
    ("uu", None, "uuid", None, (("'123E4567-E89B-12D3-A456-426655440000'", '"123e4567-e89b-12d3-a456-426655440000"'), ("'00000000-0000-0000-0000-000000000000'", '"00000000-0000-0000-0000-000000000000"'))),
    ("i4a", None, "inet4", None, (("'192.168.0.1'", '"192.168.0.1"'), ("'10.0.0.0'", '"10.0.0.0"'), ("'0.0.0.0'", '"0.0.0.0"'))),
    ("i6a", None, "inet6", None, (("'2001:DB8:0:0:0:FF00:42:8329'", '"2001:db8::ff00:42:8329"'), ("'::1'", '"::1"'), ("'::'", '"::"'), ("'::ffff:192.168.0.1'", '"::ffff:192.168.0.1"'), ("'1:2:3:4:5:6:0:8'", '"1:2:3:4:5:6::8"'))),
    ("ct", None, "text compressed", None, (("repeat('é', 1000)", '"' + "é" * 1000 + '"'), ("''", '""'), ("'short'", '"short"'))),
    ("cv", None, "varchar(300) compressed character set latin1", None, (("repeat('é', 300)", '"' + "é" * 300 + '"'),)),
    ("cb", None, "varbinary(300) compressed", None, (("repeat(x'00', 300)", '"' + "AAAA" * 100 + '"'), ("x'00ff'", '"AP8="'))),
    ("sj", None, "varchar(20) character set sjis", SAME, (("'表ソｱ~'", '"表ソｱ~"'),)),
    ("c9", None, "varchar(20) character set cp932", SAME, (("'①髙～'", '"①髙～"'),)),
    ("uj", None, "varchar(20) character set ujis", SAME, (("'〜表丂ｱ'", '"〜表丂ｱ"'),)),
    ("eu", None, "varchar(20) character set eucjpms", SAME, (("'①表丂～'", '"①表丂～"'),)),
    ("gk", None, "varchar(20) character set gbk", SAME, (("'你好丂'", '"你好丂"'),)),
    ("g2", None, "varchar(20) character set gb2312", SAME, (("'你好'", '"你好"'),)),
    ("b5", None, "varchar(20) character set big5", SAME, (("'功許•'", '"功許•"'),)),
    ("kr", None, "varchar(20) character set euckr", SAME, (("'가갂'", '"가갂"'),)),
    ("s7", None, "varchar(20) character set swe7", SAME, (("'ÅÄÖ'", '"ÅÄÖ"'),)),

    # MySQL
    ("js", None, None, "json", ((r"""' { "b c" : "x y" , "a" : [ 1 , 2.50 , 1e3 ] } '""", r'"{\"a\":[1,2.5,1000.0],\"b c\":\"x y\"}"'), ("'null'", '"null"'), ("'[]'", '"[]"'), (r"""'"\\u00e9"'""", '"\\"é\\""'),
                                ("json_array(cast(1.50 as decimal(5,2)), cast('2026-01-02' as date), true)", r'"[1.50,\"2026-01-02\",true]"'))),
    ("ve", None, None, "vector(3)", (("string_to_vector('[1, -2.5, 0.1]')", "[1,-2.5,0.1]"),)),
    ("gs", None, None, "point srid 4326", (("st_geomfromtext('POINT(2 1)', 4326)", '{"srid":4326,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'),)),
)

# What PostgreSQL's take to be there.
POSTGRES_TYPES = """create extension hstore; create extension citext; create extension ltree;
create type unknown_enum as enum ('a ''quoted'' one', 'NULL');
create type inventory_item as (name text, supplier_id integer, price numeric);
create domain posint as integer check (value > 0);
create domain posint_of_posint as posint;
create domain pair as integer[] check (cardinality(value) = 2);
"""

# PostGIS, where the server has it: column, type, values.
POSTGIS = (
    ("g", "geometry", (("'POINT(1 2)'", '{"srid":0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'), ("'SRID=4326;POINT Z (1 2 3)'", '{"srid":4326,"wkb":"AekDAAAAAAAAAADwPwAAAAAAAABAAAAAAAAACEA="}'))),
    ("gg", "geography(point, 4326)", (("'POINT(1 2)'", '{"srid":4326,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'),)),
    ("ag", "geometry[]", (("array['POINT(1 2)'::geometry, null]", '[{"srid":0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"},null]'),)),
    ("b2", "box2d", (("'BOX(0 0,1 1)'", '"BOX(0 0,1 1)"'),)),
)

# MariaDB with mysql56_temporal_format = OFF when the table is made: the formats of MariaDB 5.3, with a fraction and without.
OLD_TIMES = (
    ("ti", "time", (("'-838:59:59'", '"-838:59:59"'), ("'00:00:00'", '"00:00:00"'))),
    ("ti2", "time(2)", (("'-01:02:03.45'", '"-01:02:03.45"'), ("'838:59:59.99'", '"838:59:59.99"'))),
    ("ti6", "time(6)", (("'-00:00:00.000001'", '"-00:00:00.000001"'), ("'12:00:00'", '"12:00:00"'))),
    ("dt", "datetime", (("'2026-01-02 03:04:05'", '"2026-01-02T03:04:05"'), ("'0000-00-00 00:00:00'", '"0000-00-00T00:00:00"'))),
    ("dt1", "datetime(1)", (("'2026-01-02 03:04:05.6'", '"2026-01-02T03:04:05.6"'), ("'2026-00-00 00:00:00'", '"2026-00-00T00:00:00"'))),
    ("dt3", "datetime(3)", (("'2026-01-02 03:04:05.678'", '"2026-01-02T03:04:05.678"'), ("'9999-12-31 23:59:59.999'", '"9999-12-31T23:59:59.999"'))),
    ("dt6", "datetime(6)", (("'0001-01-01 00:00:00.000001'", '"0001-01-01T00:00:00.000001"'),)),
    ("ts", "timestamp null", (("'2026-07-01 10:00:00'", '"2026-07-01T10:00:00Z"'),)),
    ("ts3", "timestamp(3) null", (("'2026-07-01 10:00:00.5'", '"2026-07-01T10:00:00.5Z"'), ("'0000-00-00 00:00:00'", '"0000-00-00T00:00:00Z"'))),
    ("ts6", "timestamp(6) null", (("'2038-01-19 03:14:07.999999'", '"2038-01-19T03:14:07.999999Z"'),)),
)

PLACES = {"postgres": 1, "postgres18": 1, "mysql": 2, "mysql8": 3}  # of a server's type in TYPES
PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "types.md")
MARK = "<!-- From here on written by tests/e2e/types_table.py -->\n"
LONGEST = 70  # characters of a value on the page


def type_of(row, db):
    kind = row[PLACES[db]]
    return row[PLACES["mysql"]] if kind == SAME else kind


def columns_of(db, common):
    """[(column, type, values)] of a server: those that all have, or its own."""
    return [(row[0], type_of(row, db), row[4]) for row in TYPES if all(row[1:4]) == common and row[PLACES[db]]]


def sql_of(sql, db):
    return sql if isinstance(sql, str) else sql[not db.startswith("postgres")]


# ---- the page ----


def cell(text):
    """Code in a table of Markdown."""
    if text is None:
        return "–"
    text = "".join(c if c >= " " and c != "\x7f" else "\\x%02x" % ord(c) for c in text)
    if len(text) > LONGEST:
        text = text[:LONGEST // 2] + " … " + text[-LONGEST // 3:]
    text = text.replace("|", "\\|")
    return "`` %s ``" % text if "`" in text else "`%s`" % text


def lists():
    own = {"MariaDB and MySQL": [r for r in TYPES if not r[1]], "PostgreSQL": [r for r in TYPES if not r[2] and not r[3]]}
    yield "\n## The same bytes from all three\n\n| PostgreSQL | MariaDB, MySQL | in SQL | in the message |\n| --- | --- | --- | --- |\n"
    for row in TYPES:
        for sql, text in row[4] if all(row[1:4]) else ():
            both = cell(sql_of(sql, "postgres"))
            if not isinstance(sql, str):
                both += ", " + cell(sql_of(sql, "mysql"))
            yield "| %s | %s | %s | %s |\n" % (cell(row[1]), cell(row[2]), both, cell(text))
    yield "\n## PostgreSQL's own\n\n| type | in SQL | in the message |\n| --- | --- | --- |\n"
    for name, kind, values in [(r[0], r[1], r[4]) for r in own["PostgreSQL"]] + list(POSTGIS):
        for sql, text in values:
            yield "| %s | %s | %s |\n" % (cell(kind), cell(sql), cell(text))
    yield "\n## MariaDB's and MySQL's own\n\n| MariaDB | MySQL | in SQL | in the message |\n| --- | --- | --- | --- |\n"
    for row in own["MariaDB and MySQL"]:
        for sql, text in row[4]:
            yield "| %s | %s | %s | %s |\n" % (cell(type_of(row, "mysql")), cell(type_of(row, "mysql8")), cell(sql), cell(text))


def page():
    """(the page as it is, the page as it must be)"""
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    return text, text[:text.index(MARK) + len(MARK)] + "".join(lists())


if __name__ == "__main__":
    new = page()[1]
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(new)
