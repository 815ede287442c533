return { host = "db1" }
