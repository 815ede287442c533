-- config.lua - one script with every option, and one stage of each kind with only the required ones.
local ls = require "list_sync"
local helper = require "config_helper" -- stands beside this script
local brokers = ls.param("brokers", "b1:9092")
local partitions = ls.param("partitions", 6)
local small = ls.param("small", false)

ls.connector {
    name = "Shop-EU", db_type = "pgsql", host = helper.host, user = "repl", database = "shop",
    table = "public.orders",
    kafka_conf = "memory",
    topic = "wal",
}

ls.connector {
    name = "stock", db_type = "mariadb", host = "db2", port = 3307, user = "repl", password = ls.env "LIST_SYNC_TEST_PASSWORD",
    tables = { "stock.*", "!stock.log" }, topic = { "{database}.{table}", "all" },
    kafka_conf = { ["bootstrap.servers"] = brokers, ["linger.ms"] = 5, ["socket.keepalive.enable"] = true },
    partitions = partitions, replication = 2, server_id = 4294967295, start = "earliest", ddl = true, on_invalid_text = "replace",
    filter = function() end, memory = small and "8MiB" or 64 * 1024 * 1024,
}

ls.connector {
    name = "exact", db_type = "postgres", host = "db", user = "u", database = "d", tables = "public.*", topic = "t", kafka_conf = "b:1",
    slot = "my_slot", publication = "pub", partition_root = false, plugin = "pgoutput", start = "slot", on_invalid_text = "skip", map = function() end,
}

ls.consumer {
    group_id = "reports", topic_list = "wal", kafka_conf = "memory",
    writer = ls.csv_writer { filename = "out/rows" },
}

ls.consumer {
    name = "second", group_id = "reports", topic_list = { "a", "b" }, kafka_conf = "memory", instances = 3, consumer_id = "c",
    auto_offset_reset = "latest", memory = 3 * 1024 * 1024, map = function() end,
    writer = ls.csv_writer {
        filename = "out/{date}/{kind}_{consumer}.csv", max_open_files = 200, compress = "gzip", rotate = { size = "64MiB", rows = 1e6, every = "2h" }, split_files = true, header = false, bom = true, formula_guard = true, delimiter = "\t", quote = "'", newline = "\r\n",
        null = "\\N", absent = "?",
    },
}

ls.consumer { group_id = "called", topic_list = "wal", kafka_conf = "memory", callback = function() end }
ls.consumer { group_id = "written", topic_list = "wal", kafka_conf = "memory", writer = ls.writer { write = function() end } }
