-- pages.lua - the pages that engine/script/pages.c asks for: each is a function of the command line as it describes it.
require("jit").off(true, true) -- runs a few times: not worth a trace

local completion = require "list_sync.completion"

return {
    lua = require("list_sync.annotate").page,
    man = require("list_sync.manual").page,
    bash = completion.bash,
    zsh = completion.zsh,
    fish = completion.fish,
}
