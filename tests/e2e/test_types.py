"""Values from SQL to the message and the CSV cell, as README.md says them; and the same SQL on PostgreSQL and MariaDB
gives the same bytes, source and schema aside."""
import re

from lib import Case, messages, my, pg, read_topic, wait_until

# column, type on PostgreSQL, type on MariaDB, [(SQL literal, or a pair of them, JSON text)]
BOTH = (
    ("i2", "smallint", "smallint", (("-32768", "-32768"), ("32767", "32767"), ("0", "0"))),
    ("i4", "integer", "integer", (("-2147483648", "-2147483648"), ("2147483647", "2147483647"))),
    ("i8", "bigint", "bigint", (("-9223372036854775808", "-9223372036854775808"), ("9223372036854775807", "9223372036854775807"), ("9007199254740993", "9007199254740993"))),
    ("f4", "real", "float", (("1.5", "1.5"), ("-0.1", "-0.1"), ("3.4028234e38", "3.4028235e+38"), ("1e-7", "1e-7"), ("16777216", "16777216"), ("1e21", "1e+21"))),
    ("f8", "double precision", "double", (("0.1", "0.1"), ("-2.5", "-2.5"), ("1.7976931348623157e308", "1.7976931348623157e+308"), ("2.2250738585072014e-308", "2.2250738585072014e-308"),
                                          ("123456789012345680000", "123456789012345680000"), ("1e21", "1e+21"), ("1e-6", "0.000001"), ("1e-7", "1e-7"), ("100", "100"))),
    ("d", "numeric(20,5)", "decimal(20,5)", (("12.5", '"12.50000"'), ("-0.00001", '"-0.00001"'), ("0", '"0.00000"'), ("999999999999999.99999", '"999999999999999.99999"'))),
    ("d0", "numeric(38,0)", "decimal(38,0)", (("12345678901234567890123456789012345678", '"12345678901234567890123456789012345678"'), ("-7", '"-7"'))),
    ("v", "varchar(60)", "varchar(60)", (("'plain'", '"plain"'), ("''", '""'), ("'a\"b'", r'"a\"b"'), ("'é € 😀'", '"é € 😀"'), ("'  spaces  '", '"  spaces  "'),
                                         ((r"E'tab\there\nand \\ \x01\x1f\x7f'", r"'tab\there\nand \\ " "\x01\x1f\x7f'"), '"tab\\there\\nand \\\\ \\u0001\\u001f\x7f"'))),
    ("t", "text", "longtext", (("repeat('x', 300)", '"' + "x" * 300 + '"'), ("'/'", '"/"'))),
    ("c", "char(10)", "char(10)", (("'ab'", '"ab"'), ("'ab   '", '"ab"'), ("''", '""'))),
    ("b", "bytea", "longblob", ((("'\\x'", "x''"), '""'), (("'\\x00ff10'", "x'00ff10'"), '"AP8Q"'), (("'\\xdeadbeef'", "x'deadbeef'"), '"3q2+7w=="'))),
    ("dt", "date", "date", (("'2026-02-28'", '"2026-02-28"'), ("'0999-12-31'", '"0999-12-31"'), ("'9999-12-31'", '"9999-12-31"'))),
    ("ti", "time(6)", "time(6)", (("'01:02:03'", '"01:02:03"'), ("'23:59:59.999999'", '"23:59:59.999999"'), ("'01:02:03.450000'", '"01:02:03.45"'))),
    ("ts", "timestamp(6)", "datetime(6)", (("'2026-01-02 03:04:05'", '"2026-01-02T03:04:05"'), ("'1969-12-31 23:59:59.000001'", '"1969-12-31T23:59:59.000001"'),
                                           ("'9999-12-31 23:59:59.5'", '"9999-12-31T23:59:59.5"'))),
)

POSTGRES = (
    ("o", "oid", (("4294967295", "4294967295"),)),
    ("bo", "boolean", (("true", "true"), ("false", "false"))),
    ("f4", "real", (("'NaN'", '"NaN"'), ("'-Infinity'", '"-Infinity"'), ("'-0'", "-0"))),
    ("f8", "double precision", (("'NaN'", '"NaN"'), ("'Infinity'", '"Infinity"'), ("'-0'", "-0"), ("5e-324", "5e-324"))),
    ("n", "numeric", (("'NaN'", '"NaN"'), ("'Infinity'", '"Infinity"'), ("1e20", '"100000000000000000000"'), ("1.10", '"1.10"'), ("-0.000", '"0.000"'))),
    ("dt", "date", (("'infinity'", '"infinity"'), ("'-infinity'", '"-infinity"'), ("'0044-03-15 BC'", '"0044-03-15 BC"'), ("'12026-01-01'", '"12026-01-01"'))),
    ("ts", "timestamp", (("'infinity'", '"infinity"'), ("'0001-01-01 00:00:00 BC'", '"0001-01-01T00:00:00 BC"'), ("'294276-12-31 23:59:59.999999'", '"294276-12-31T23:59:59.999999"'))),
    ("tz", "timestamptz", (("'2026-07-01 12:00:00.5+02'", '"2026-07-01T10:00:00.5Z"'), ("'infinity'", '"infinity"'), ("'1970-01-01 00:00:00+00'", '"1970-01-01T00:00:00Z"'))),
    ("ti", "time", (("'24:00:00'", '"24:00:00"'),)),
    ("u", "unknown_enum", (("'a ''quoted'' one'", '"a \'quoted\' one"'),)),
    ("m", "money", (("12345.67::numeric::money", '"12345.67"'), ("(-92233720368547758.08)::money", '"-92233720368547758.08"'), ("0.5::numeric::money", '"0.50"'))),
    ("ttz", "timetz", (("'04:05:06.789-8'", '"04:05:06.789-08"'), ("'040506+07:30:00'", '"04:05:06+07:30"'), ("'24:00:00.000-00'", '"24:00:00+00"'))),
    ("iv", "interval", (("'1-2'", '"P1Y2M"'), ("'3 4:05:06'", '"P3DT4H5M6S"'), ("'-1-2 +3 -4:05:06'", '"P-1Y-2M3DT-4H-5M-6S"'), ("'0.000001 seconds'", '"PT0.000001S"'), ("'0'", '"PT0S"'))),
    ("uu", "uuid", (("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'), ("'{a0eebc999c0b4ef8bb6d6bb9bd380a11}'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'))),
    ("js", "json", (("""'{"bar": "baz", "balance": 7.77, "active":false}'""", r'"{\"bar\":\"baz\",\"balance\":7.77,\"active\":false}"'), ("""'{"reading": 1.230e-5}'""", r'"{\"reading\":1.230e-5}"'),
                    ("""E'[ 1 ,\\n\\t" a : b " ]'""", r'"[1,\" a : b \"]"'), ("'null'", '"null"'))),
    ("jb", "jsonb", (("""'{"bar": "baz", "balance": 7.77, "active":false}'""", r'"{\"bar\":\"baz\",\"active\":false,\"balance\":7.77}"'), ("""'{"reading": 1.230e-5}'""", r'"{\"reading\":0.00001230}"'),
                     (r"""'"a\"b \\ \u00e9"'""", r'"\"a\\\"b \\\\ é\""'))),
    ("bi", "bit(3)", (("B'101'", '"101"'), ("B'10'::bit(3)", '"100"'))),
    ("vb", "bit varying(5)", (("B'00'", '"00"'), ("B''", '""'), ("B'10101'", '"10101"'))),
    ("ch", '"char"', (("'c'", '"c"'), ("''", '""'))),
    ("na", "name", (("'a name'", '"a name"'),)),
    ("ine", "inet", (("'192.168.0.1/24'", '"192.168.0.1/24"'), ("'::ffff:1.2.3.0/120'", '"::ffff:1.2.3.0/120"'))),
    ("ci", "cidr", (("'10.1.2'", '"10.1.2.0/24"'),)),
    ("ma", "macaddr", (("'08-00-2b-01-02-03'", '"08:00:2b:01:02:03"'),)),
    ("po", "point", (("'(1.5,-2)'", '"(1.5,-2)"'),)),
    ("bx", "box", (("'(0,0),(1,1)'", '"(1,1),(0,0)"'),)),
    ("r4", "int4range", (("'(3,7)'", '"[4,7)"'), ("'empty'", '"empty"'), ("'[,5]'", '"(,6)"'))),
    ("rt", "tstzrange", (("'[2010-01-01 14:30+02, 2010-01-01 15:30+02)'", r'"[\"2010-01-01 12:30:00+00\",\"2010-01-01 13:30:00+00\")"'),)),
    ("rm", "int4multirange", (("'{[3,7), [8,9)}'", '"{[3,7),[8,9)}"'), ("'{}'", '"{}"'))),
    ("tv", "tsvector", (("'a fat cat'", "\"'a' 'cat' 'fat'\""),)),
    ("x", "xml", (("'<foo>bar</foo>'", '"<foo>bar</foo>"'),)),
    ("ls", "pg_lsn", (("'16/B374D848'", '"16/B374D848"'),)),
    ("iw", "int2vector", (("'1 2 3'", '"1 2 3"'),)),
    ("co", "inventory_item", (("row('fuzzy dice', 42, 1.99)", r'"(\"fuzzy dice\",42,1.99)"'), ("row('', null, null)", r'"(\"\",,)"'))),
    ("di", "posint", (("7", "7"),)),
    ("dd", "posint_of_posint", (("9", "9"),)),
    ("da", "pair", (("'{1,2}'", "[1,2]"), ("'{NULL,3}'", "[null,3]"))),
    ("hs", "hstore", (("'\"1-a\" => \"anything at all\"'", r'"\"1-a\"=>\"anything at all\""'),)),
    ("ct", "citext", (("'Larry'", '"Larry"'),)),
    ("lt", "ltree", (("'Top.Countries.Europe'", '"Top.Countries.Europe"'),)),
    # arrays: quoted elements, NULL, the text NULL, dimensions, bounds
    ("ai", "integer[]", (("'{{1,2,3},{4,5,6},{7,8,9}}'", "[[1,2,3],[4,5,6],[7,8,9]]"), ("'{}'", "[]"), ("'{1,NULL}'", "[1,null]"), ("'[1:1][-2:-1][3:5]={{{1,2,3},{4,5,6}}}'", "[[[1,2,3],[4,5,6]]]"))),
    ("at", "text[]", (("""'{"meeting", "lunch"}'""", '["meeting","lunch"]'), ("""array['', 'NULL', null, 'a,b', 'a"b', 'a\\b', '{x}', ' ', E'\\n', 'é 😀']""", r'["","NULL",null,"a,b","a\"b","a\\b","{x}"," ","\n","é 😀"]'))),
    ("ac", "char(4)[]", (("array['ab', '']", '["ab",""]'),)),
    ("ax", "bytea[]", ((r"array['\x00ff10'::bytea, '']", '["AP8Q",""]'),)),
    ("ao", "boolean[]", (("'{t,f,NULL}'", "[true,false,null]"),)),
    ("af", "double precision[]", (("'{0.1,NaN,-Infinity,1e20,1e21,-0,7.120236347223045e-307}'", '[0.1,"NaN","-Infinity",100000000000000000000,1e+21,-0,7.120236347223045e-307]'),)),
    ("ar", "real[]", (("'{0.1,1.2621775e-29}'", "[0.1,1.2621775e-29]"),)),
    ("an", "numeric[]", (("'{1.10,NaN,-Infinity}'", '["1.10","NaN","-Infinity"]'),)),
    ("ay", "money[]", (("array[1234.5::numeric::money, (-0.05)::numeric::money]", '["1234.50","-0.05"]'),)),
    ("ad", "date[]", (("'{2026-01-31,infinity,0044-03-15 BC}'", '["2026-01-31","infinity","0044-03-15 BC"]'),)),
    ("az", "timestamptz[]", (("array['2026-07-01 12:00:00.5+02'::timestamptz]", '["2026-07-01T10:00:00.5Z"]'),)),
    ("av", "interval[]", (("array['1 day'::interval, '-2 hours']", '["P1D","PT-2H"]'),)),
    ("aj", "jsonb[]", (("""array['{"a": [1, 2]}'::jsonb, 'null', null]""", r'["{\"a\":[1,2]}","null",null]'),)),
    ("au", "uuid[]", (("array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]", '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]'),)),
    ("ab", "bit varying(5)[]", (("array[B'00', B'1']", '["00","1"]'),)),
    ("axb", "box[]", (("'{(1,1),(0,0);(3,3),(2,2)}'", '["(1,1),(0,0)","(3,3),(2,2)"]'),)),
    ("arr", "int4range[]", (("""'{"[1,4)",empty}'""", '["[1,4)","empty"]'),)),
    ("ae", "unknown_enum[]", (("array['a ''quoted'' one', 'NULL']::unknown_enum[]", '["a \'quoted\' one","NULL"]'),)),
    ("acx", "inventory_item[]", (("array[row('fuzzy \"dice\"', 42, 1.99)::inventory_item, null]", r'["(\"fuzzy \"\"dice\"\"\",42,1.99)",null]'),)),
    ("adi", "posint[]", (("'{1,2}'", "[1,2]"),)),
    ("ada", "pair[]", (("""'{"{1,2}",NULL,"{NULL,3}"}'""", "[[1,2],null,[null,3]]"),)),
    ("ahs", "hstore[]", (("array['a=>1'::hstore]", r'["\"a\"=>\"1\""]'),)),
)

# What the types of that table take to be there.
POSTGRES_TYPES = """create extension hstore; create extension citext; create extension ltree;
create type unknown_enum as enum ('a ''quoted'' one', 'NULL');
create type inventory_item as (name text, supplier_id integer, price numeric);
create domain posint as integer check (value > 0);
create domain posint_of_posint as posint;
create domain pair as integer[] check (cardinality(value) = 2);
"""

# PostGIS, where the server has it.
POSTGIS = (
    ("g", "geometry", (("'POINT(1 2)'", '{"srid":0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'), ("'SRID=4326;POINT Z (1 2 3)'", '{"srid":4326,"wkb":"AekDAAAAAAAAAADwPwAAAAAAAABAAAAAAAAACEA="}'))),
    ("gg", "geography(point, 4326)", (("'POINT(1 2)'", '{"srid":4326,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'),)),
    ("ag", "geometry[]", (("array['POINT(1 2)'::geometry, null]", '[{"srid":0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"},null]'),)),
    ("b2", "box2d", (("'BOX(0 0,1 1)'", '"BOX(0 0,1 1)"'),)),
)

MARIADB = (
    ("i1", "tinyint", (("-128", "-128"), ("127", "127"))),
    ("u1", "tinyint unsigned", (("255", "255"),)),
    ("bo", "boolean", (("true", "1"), ("false", "0"))),
    ("u2", "smallint unsigned", (("65535", "65535"),)),
    ("i3", "mediumint", (("-8388608", "-8388608"), ("8388607", "8388607"))),
    ("u3", "mediumint unsigned", (("16777215", "16777215"),)),
    ("u4", "int unsigned", (("4294967295", "4294967295"),)),
    ("u8", "bigint unsigned", (("18446744073709551615", "18446744073709551615"), ("9223372036854775808", "9223372036854775808"))),
    ("y", "year", (("2026", "2026"), ("0", "0"))),
    ("ud", "decimal(65,30) unsigned", (("1", '"1.' + "0" * 30 + '"'), ("12345678901234567890123456789012345.000000000000000000000000000001",
                                                                     '"12345678901234567890123456789012345.000000000000000000000000000001"'))),
    ("bi", "binary(4)", (("x'0100'", '"AQAAAA=="'), ("x'00000000'", '"AAAAAA=="'))),
    ("vb", "varbinary(300)", (("x'0100'", '"AQA="'), ("repeat('a', 300)", '"' + "YWFh" * 100 + '"'))),
    ("l1", "varchar(20) character set latin1", (("'é€ÿ'", '"é€ÿ"'),)),
    ("tt", "tinytext", (("'x'", '"x"'),)),
    ("mt", "mediumtext character set ucs2", (("'é'", '"é"'),)),
    ("dt", "date", (("'0000-00-00'", '"0000-00-00"'), ("'2026-00-00'", '"2026-00-00"'))),
    ("dm", "datetime(3)", (("'2026-01-02 03:04:05.678'", '"2026-01-02T03:04:05.678"'), ("'0000-00-00 00:00:00'", '"0000-00-00T00:00:00"'))),
    ("ti", "time(2)", (("'-01:02:03.45'", '"-01:02:03.45"'), ("'838:59:59'", '"838:59:59"'), ("'-838:59:59'", '"-838:59:59"'))),
    ("tz", "timestamp(6) null", (("'2026-07-01 10:00:00.5'", '"2026-07-01T10:00:00.5Z"'), ("'1970-01-01 00:00:01'", '"1970-01-01T00:00:01Z"'))),
    ("en", "enum('x','b \"c\"','é','')", (("'x'", '"x"'), ("2", r'"b \"c\""'), ("'é'", '"é"'), ("''", '""'), ("'none of them'", '""'))),
    ("el", "enum('é','ü') character set latin1", (("'ü'", '"ü"'),)),
    ("ej", "enum('表','ソ') character set sjis", (("'ソ'", '"ソ"'), ("'表'", '"表"'))),
    ("e2", "enum(%s)" % ",".join("'v%d'" % i for i in range(1, 301)), (("'v1'", '"v1"'), ("300", '"v300"'))),
    ("st", "set('a','b \"c\"','é')", (("''", "[]"), ("'a'", '["a"]'), ("'é,a'", '["a","é"]'), ("7", r'["a","b \"c\"","é"]'))),
    ("s64", "set(%s)" % ",".join("'l%d'" % i for i in range(1, 65)), (("'l1,l64'", '["l1","l64"]'), ("9223372036854775808", '["l64"]'))),
    ("sg", "set('你','好') character set gbk", (("'好'", '["好"]'),)),
    ("b1", "bit(1)", (("1", '"1"'), ("0", '"0"'))),
    ("b10", "bit(10)", (("b'1000000001'", '"1000000001"'), ("5", '"0000000101"'))),
    ("b64", "bit(64)", (("18446744073709551615", '"' + "1" * 64 + '"'), ("1", '"' + "0" * 63 + '1"'))),
    ("y4", "year(4)", (("1901", "1901"), ("2155", "2155"))),
    ("gp", "point", (("point(1, 2)", '{"srid":0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'), ("st_geomfromtext('POINT(1 2)', 4326)", '{"srid":4326,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'))),
    ("gc", "geometrycollection", (("st_geomfromtext('GEOMETRYCOLLECTION EMPTY')", '{"srid":0,"wkb":"AQcAAAAAAAAA"}'),)),
    ("gl", "geometry", (("st_geomfromtext('LINESTRING(0 0,1 1)')", '{"srid":0,"wkb":"AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8="}'),)),
    ("js", "json", ((r"""' { "a" : [ 1 , 2.50 ], "b c" : "x y" } '""", r'"{\"a\":[1,2.50],\"b c\":\"x y\"}"'), ("'null'", '"null"'), ("'[]'", '"[]"'), (r"""'"\\u00e9"'""", r'"\"\\u00e9\""'))),
    ("uu", "uuid", (("'123E4567-E89B-12D3-A456-426655440000'", '"123e4567-e89b-12d3-a456-426655440000"'), ("'00000000-0000-0000-0000-000000000000'", '"00000000-0000-0000-0000-000000000000"'))),
    ("i4a", "inet4", (("'192.168.0.1'", '"192.168.0.1"'), ("'10.0.0.0'", '"10.0.0.0"'), ("'0.0.0.0'", '"0.0.0.0"'))),
    ("i6a", "inet6", (("'2001:DB8:0:0:0:FF00:42:8329'", '"2001:db8::ff00:42:8329"'), ("'::1'", '"::1"'), ("'::'", '"::"'), ("'::ffff:192.168.0.1'", '"::ffff:192.168.0.1"'), ("'1:2:3:4:5:6:0:8'", '"1:2:3:4:5:6::8"'))),
    ("ct", "text compressed", (("repeat('é', 1000)", '"' + "é" * 1000 + '"'), ("''", '""'), ("'short'", '"short"'))),
    ("cv", "varchar(300) compressed character set latin1", (("repeat('é', 300)", '"' + "é" * 300 + '"'),)),
    ("cb", "varbinary(300) compressed", (("repeat(x'00', 300)", '"' + "AAAA" * 100 + '"'), ("x'00ff'", '"AP8="'))),
    ("sj", "varchar(20) character set sjis", (("'表ソｱ~'", '"表ソｱ~"'),)),
    ("c9", "varchar(20) character set cp932", (("'①髙～'", '"①髙～"'),)),
    ("uj", "varchar(20) character set ujis", (("'〜表丂ｱ'", '"〜表丂ｱ"'),)),
    ("eu", "varchar(20) character set eucjpms", (("'①表丂～'", '"①表丂～"'),)),
    ("gk", "varchar(20) character set gbk", (("'你好丂'", '"你好丂"'),)),
    ("g2", "varchar(20) character set gb2312", (("'你好'", '"你好"'),)),
    ("b5", "varchar(20) character set big5", (("'功許•'", '"功許•"'),)),
    ("kr", "varchar(20) character set euckr", (("'가갂'", '"가갂"'),)),
    ("s7", "varchar(20) character set swe7", (("'ÅÄÖ'", '"ÅÄÖ"'),)),
)

# With mysql56_temporal_format = OFF when the table is made: the formats of MariaDB 5.3, with a fraction and without.
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

# Geometries by kind; a coordinate pair gets further axes where the test wants them.
GEOMETRIES = (
    ("POINT", "(1 2)"), ("POINT", "EMPTY"), ("LINESTRING", "(1 2,3 4)"), ("POLYGON", "((0 0,9 0,9 9,0 0),(1 1,2 1,2 2,1 1))"), ("POLYGON", "EMPTY"),
    ("MULTIPOINT", "(1 2,3 4)"), ("MULTILINESTRING", "((1 2,3 4),(5 6,7 8))"), ("MULTIPOLYGON", "(((0 0,9 0,9 9,0 0)),((1 1,2 1,2 2,1 1)))"),
    ("CIRCULARSTRING", "(0 0,1 1,2 0)"), ("TRIANGLE", "((0 0,9 0,9 9,0 0))"), ("TIN", "(((0 0,9 0,9 9,0 0)),((0 0,9 9,0 9,0 0)))"), ("GEOMETRYCOLLECTION", "EMPTY"),
)


def compact(message):
    """A message without source and schema: what both servers must have in common, byte for byte."""
    return re.sub(r',"source":\{[^{}]*\}', "", re.sub(r'"schema":"[^"]*",', "", message, count=1), count=1)


class Types(Case):
    def script_sql(self, columns, side):
        """create and insert statements; the i-th row has the i-th value of each column, and a last row only NULLs."""
        create = "create table t (id int primary key, %s)" % ", ".join("%s %s null" % (name, kind) for name, kind, _ in columns)
        rows = []
        for i in range(max(len(v) for _, _, v in columns)):
            cells = []
            for _, _, cases in columns:
                sql = cases[i][0] if i < len(cases) else "null"
                cells.append(sql[side] if isinstance(sql, tuple) else sql)
            rows.append("insert into t values (%d, %s);" % (i + 1, ", ".join(cells)))
        rows.append("insert into t (id) values (1000);")
        return create, "\n".join(rows)

    def expected(self, columns):
        for i in range(max(len(v) for _, _, v in columns)):
            yield "[%s]" % ",".join(['{"name":"id","value":%d}' % (i + 1)] + ['{"name":"%s","value":%s}' % (n, c[i][1] if i < len(c) else "null") for n, _, c in columns])
        yield "[%s]" % ",".join(['{"name":"id","value":1000}'] + ['{"name":"%s","value":null}' % n for n, _, _ in columns])

    def columns_of(self, message):
        return re.search(r'"columns":(\[.*?\]),"(?:identity|source|unchanged|moved_from)"', message, re.DOTALL).group(1)

    def compare(self, db, columns, insert, setup=""):
        p = self.start_connector(self.script(self.connector(db), self.consumer(db, topic_list=[self.topic_of(db)])))
        self.sql(db, setup + insert)
        wanted = list(self.expected(columns))
        self.wait_messages(self.topic_of(db), len(wanted), [p])
        got = [value for _, _, value in read_topic(self.topic_of(db))]
        for g, w in zip(got, wanted):
            self.assertEqual(self.columns_of(g), w)
        # CSV and back: as many records, so every value passes the consumer's reader and the writer
        wait_until(lambda: sum(line.startswith("I,") for line in self.lines("%s_%s.csv" % (db, db))) == len(wanted), "the CSV rows", programs=[p])
        self.assertEqual(p.stop(), 0)
        return got

    def test_same_bytes_from_both(self):
        pg_columns, my_columns = [(n, p, v) for n, p, _, v in BOTH], [(n, m, v) for n, _, m, v in BOTH]
        pg_create, pg_insert = self.script_sql(pg_columns, 0)
        my_create, my_insert = self.script_sql(my_columns, 1)
        self.databases(pg_create, my_create)
        more = "\nupdate t set v = 'changed', f8 = null where id = 1;\ndelete from t where id = 2;\nupdate t set id = 77 where id = 3;"
        first = len(list(self.expected(pg_columns)))
        p = [self.start_connector(self.script(self.connector(db), name=db + ".lua")) for db in ("postgres", "mysql")]
        self.pg(pg_insert + more)
        self.my(my_insert + more)
        texts = []
        for db, program in zip(("postgres", "mysql"), p):
            self.wait_messages(self.topic_of(db), first + 4, [program])
            rows = read_topic(self.topic_of(db))
            for (_, _, value), wanted in zip(rows, self.expected(pg_columns)):
                self.assertEqual(self.columns_of(value), wanted, db)
            texts.append([(key, compact(value)) for _, key, value in rows])
            self.assertEqual(program.stop(), 0)
        for a, b in zip(*texts):
            self.assertEqual(a, b)
        self.assertEqual(len(texts[0]), len(texts[1]))

    def test_csv_of_both(self):
        columns = [(n, p, v) for n, p, _, v in BOTH]
        create, insert = self.script_sql(columns, 0)
        my_create, my_insert = self.script_sql([(n, m, v) for n, _, m, v in BOTH], 1)
        self.databases(create, my_create)
        self.compare("postgres", columns, insert)
        self.compare("mysql", columns, my_insert)
        files = []
        for db, schema in (("postgres", "public"), ("mysql", self.id_)):
            with open(self.path("%s_%s.csv" % (db, db)), encoding="utf-8", newline="") as f:
                files.append(f.read().replace("I,%s.t," % schema, "I,t,"))
        self.assertEqual(*files)

    def test_postgres(self):
        columns = list(POSTGRES)
        create, insert = self.script_sql(columns, 0)
        self.databases()
        self.pg(POSTGRES_TYPES + create)
        self.compare("postgres", columns, insert, "set timezone = 'Asia/Kolkata'; set datestyle = 'SQL, DMY'; set datestyle = 'ISO';")

    def test_postgres_database_settings_do_not_leak(self):
        """Settings of the database and role would change the texts that the server sends; the connector pins its own."""
        columns = list(POSTGRES)
        create, insert = self.script_sql(columns, 0)
        self.databases()
        self.pg(POSTGRES_TYPES + create)
        for setting in ("timezone = 'Asia/Kolkata'", "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "extra_float_digits = -3", "bytea_output = 'escape'"):
            self.pg("alter database %s set %s" % (self.id_, setting))
        self.compare("postgres", columns, insert, "set timezone = 'UTC'; set datestyle = 'ISO, MDY';")

    def test_mariadb(self):
        columns = list(MARIADB)
        create, insert = self.script_sql(columns, 1)
        self.databases()
        self.my(create)
        self.compare("mysql", columns, insert, "set sql_mode = ''; set time_zone = '+00:00';")

    def test_mariadb_old_temporal_formats(self):
        columns = list(OLD_TIMES)
        create, insert = self.script_sql(columns, 1)
        self.databases()
        my("set global mysql56_temporal_format = off")
        try:
            self.my(create)
        finally:
            my("set global mysql56_temporal_format = on")
        self.compare("mysql", columns, insert, "set sql_mode = ''; set time_zone = '+00:00';")

    def test_mariadb_session_time_zone(self):
        self.databases()
        self.my("create table t (id int primary key, tz timestamp null)")
        p = self.start_connector(self.script(self.connector("mysql")))
        self.my("set time_zone = '+05:30'; insert into t values (1, '2026-01-01 05:30:00')")
        got = self.wait_messages(self.topic_of("mysql"), 1, [p])
        self.assertEqual(got[0]["columns"][1]["value"], "2026-01-01T00:00:00Z")
        self.assertEqual(p.stop(), 0)

    def test_postgis(self):
        if not pg("select name from pg_available_extensions where name = 'postgis'"):
            self.skipTest("the server has no PostGIS")
        create, insert = self.script_sql(POSTGIS, 0)
        self.databases()
        self.pg("create extension postgis; " + create)
        self.compare("postgres", POSTGIS, insert)

    def test_postgis_agrees_with_itself(self):
        """PostGIS' own ISO WKB of each kind of geometry, in both byte orders of the input, is what the message has."""
        if not pg("select name from pg_available_extensions where name = 'postgis'"):
            self.skipTest("the server has no PostGIS")
        shapes = ["%s %s %s" % (kind, axes, body) for axes in ("", "Z", "M", "ZM") for kind, body in GEOMETRIES for body in [
            re.sub(r"\d+ \d+", lambda m: m.group(0) + " 7.5" * len(axes), body)]]
        self.databases()
        self.pg("create extension postgis; create table t (id int primary key, g geometry)")
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("".join("insert into t values (%d, '%s'); insert into t values (%d, st_setsrid(st_geomfromewkb(st_asewkb('%s', 'XDR')), 3857));"
                        % (i * 2, shape, i * 2 + 1, shape) for i, shape in enumerate(shapes)))
        want = self.pg("select st_srid(g), translate(encode(st_asbinary(g, 'NDR'), 'base64'), E'\\n', '') from t order by id").split()
        got = ["%d|%s" % (m["columns"][1]["value"]["srid"], m["columns"][1]["value"]["wkb"]) for m in self.wait_messages(self.topic_of("postgres"), len(want), [p])]
        self.assertEqual(got, want)
        self.assertEqual(p.stop(), 0)

    def test_postgres_types_made_and_dropped_meanwhile(self):
        """A type is resolved when its table is first seen, and one that is gone by then is text."""
        self.databases()
        self.pg("create type mood as enum ('sad'); create table t (id int primary key, m mood, a mood[])")
        script = self.script(self.connector("postgres"))
        self.run_to_end(script, "--until-caught-up")
        self.pg("insert into t values (1, 'sad', '{sad}'); alter table t drop m, drop a; drop type mood;"
                "create domain later as text[]; alter table t add l later; insert into t values (2, '{x,NULL}')")
        self.run_to_end(script, "--until-caught-up")
        rows = [[c["value"] for c in m["columns"]] for m in messages(self.topic_of("postgres"))]
        self.assertEqual(rows, [[1, "sad", "{sad}"], [2, ["x", None]]])

    def test_postgres_deferrable_key_is_none(self):
        """Two rows may have the same deferrable key for a while, so it identifies none: the whole row does."""
        self.databases()
        self.pg("create table t (id int primary key deferrable initially deferred, v text); alter table t replica identity full;")
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("insert into t values (1, 'a'), (2, 'b'); update t set id = id + 1")
        rows = {}
        for m in self.wait_messages(self.topic_of("postgres"), 4, [p]):
            self.assertNotIn("pk", m)
            if "identity" in m:
                del rows[tuple(c["value"] for c in m["identity"])]
            rows[tuple(c["value"] for c in m["columns"])] = True
        self.assertEqual(sorted(rows), [(2, "a"), (3, "b")])
        self.assertEqual(p.stop(), 0)

    def encoded_database(self, encoding):
        self.databases()
        pg("drop database %s" % self.id_)
        pg("create database %s encoding '%s' lc_collate 'C' lc_ctype 'C' template template0" % (self.id_, encoding))

    def test_latin1_database(self):
        """The server makes UTF-8 of names and values."""
        self.encoded_database("LATIN1")
        self.pg("set client_encoding = 'UTF8'; create type \"Stück\" as enum ('fünf'); create table t (id int primary key, \"größe\" text, s \"Stück\"[])")
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("set client_encoding = 'UTF8'; insert into t values (1, 'é ÿ', '{fünf}')")
        m = self.wait_messages(self.topic_of("postgres"), 1, [p])[0]
        self.assertEqual(m["columns"], [{"name": "id", "value": 1}, {"name": "größe", "value": "é ÿ"}, {"name": "s", "value": ["fünf"]}])
        self.assertEqual(p.stop(), 0)

    def test_text_without_an_encoding(self):
        """SQL_ASCII: the server checks and converts nothing. UTF-8 passes, other bytes are an error that says where they are."""
        self.encoded_database("SQL_ASCII")
        self.pg("create table t (id int primary key, a text[])")
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("insert into t values (1, '{é}')")
        self.assertEqual([m["columns"][1]["value"] for m in self.wait_messages(self.topic_of("postgres"), 1, [p])], [["é"]])
        self.pg("insert into t values (42, array[E'ok', E'\\xe9'])")
        self.assertEqual(p.wait(), 1, p.log())
        self.assertRegex(p.log(), r'table public\.t, column "a", key id=42, transaction [0-9a-f]{16} .*row 1: array element 2: .*not valid UTF-8')

    def test_wide_table(self):
        columns = 1500
        self.databases()
        self.pg("create table t (id int primary key, %s)" % ", ".join("c%d smallint" % i for i in range(columns)))
        p = self.start_connector(self.script(self.connector("postgres")))
        self.pg("insert into t values (1, %s)" % ", ".join(str(i) for i in range(columns)))
        m = self.wait_messages(self.topic_of("postgres"), 1, [p])[0]
        self.assertEqual([c["value"] for c in m["columns"]], [1] + list(range(columns)))
        self.assertEqual(p.stop(), 0)

