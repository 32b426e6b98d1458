-- make bench: measures this machine, then every row of the table in rows.lua, ours and the peer's
-- in turn, each in processes of its own. Prints one table and writes build/bench.json.
--
--   perilune bench/bench.lua [--rows a,b] [--repeats 3] [--no-peers] [--json FILE]
--
-- In the JSON `ratio` is peer / ours; null where there is no peer. `limit` is what the row must
-- reach: of the ratio for rows that are asked for against the peer, else of `ours`.

package.path = "./bench/?.lua;" .. package.path
local command_line = require "perilune.command_line"
local json = require "perilune.json"
local rows = require "rows"
local Runner = require "runner"

local options = command_line.parse({
  { "rows", type = "string", doc = "names of the rows to run, commas between" },
  { "repeats", 3, type = "integer", min = 1, doc = "processes per side and row" },
  { "no_peers", false, doc = "do not run the peers" },
  { "json", type = "string", doc = "where to write the results (build/bench.json)" },
}, arg, "Measures Perilune against this machine's limits and against PyTorch.")

local runner = Runner{
  build = require("perilune.paths").lib, repeats = options.repeats, peers = not options.no_peers,
}

local known, asked = {}, {}
for _, row in ipairs(rows) do known[row.name] = true end
for name in (options.rows or ""):gmatch("[^,]+") do
  if not known[name] then error(("there is no row '%s' in bench/rows.lua"):format(name), 0) end
  asked[name] = true
end

local function wanted(name) return next(asked) == nil or asked[name] end

local MISSING = 0 / 0   -- null in JSON

-- ---- words ------------------------------------------------------------------------------------

local scale = { us = 1e6, ns = 1e9, ms = 1e3, s = 1, MiB = 1 / 2^20, fraction = 1, count = 1 }

local function number(x)
  if not x then return "-" end
  return ("%.4g"):format(x)
end

local senses = { ratio = "ratio >= ", least = ">= ", most = "<= " }

local function verdict(row, result)
  local got = row.limit_of == "ratio" and result.ratio or row.limit_of ~= "ratio" and result.ours
  if not got then return result.why end
  local reached = row.limit_of == "most" and got <= result.limit
    or row.limit_of ~= "most" and got >= result.limit
  return (reached and "ok" or "MISSED") .. (result.why and ", " .. result.why or "")
end

local format = "%-18s %10s %10s %-9s %8s  %-14s %8s  %s"

local function print_row(row, result)
  print(format:format(row.name, number(result.ours), number(result.peer), row.unit,
    number(result.ratio), senses[row.limit_of] .. result.limit,
    result.spread and ("%.0f%%"):format(100 * result.spread) or "-", verdict(row, result)))
end

-- ---- the run ----------------------------------------------------------------------------------

local machine = runner:peak()

--- What the row must reach here: some limits depend on the width of the vectors.
local function limit_of(row)
  if type(row.limit) ~= "table" then return row.limit end
  return row.limit[machine.vectors] or row.limit.avx2
end

local function measure(row)
  local ours, peer, why = row.measure(runner)
  local result = { limit = limit_of(row), spread = ours and ours.spread, why = why }
  result.ours = ours and ours.median * scale[row.unit]
  result.peer = peer and peer.median * scale[row.unit]
  result.ratio = result.peer and result.ours and result.peer / result.ours
  return result
end

print(("machine: %s, FMA %.0f / %.0f GFLOP/s, memory %.1f / %.1f GB/s (1 / 2 threads)"):format(
  machine.vectors, machine.fma_1t, machine.fma_2t, machine.read_1t, machine.read_2t))
print("peer: " .. runner:peer_description() .. "\n")
print(format:format("row", "ours", "peer", "unit", "ratio", "must reach", "spread", ""))

local list = {}
for _, row in ipairs(rows) do
  if wanted(row.name) then
    local result = measure(row)
    print_row(row, result)
    list[#list + 1] = {
      name = row.name, ours = result.ours or MISSING, peer = result.peer or MISSING,
      unit = row.unit, ratio = result.ratio or MISSING, limit = result.limit,
    }
  end
end

local path = options.json or "build/bench.json"
local file = assert(io.open(path, "w"))
file:write(json.encode(list, { indent = true }), "\n")
assert(file:close())
print("\n" .. path)
