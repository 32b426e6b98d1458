-- Runs the workers of the bench, ours (bench/ours) and the peers' (bench/peers), each in a process
-- of its own, ours and the peer's in turn. A worker prints lines of a name and a number. What a
-- worker printed is kept: rows that need the same worker share its runs.

local class = require "perilune.class"
local engine = require "perilune.engine"

local Runner = class("Runner")

function Runner:init(options)
  self.build, self.repeats = options.build, options.repeats
  self.python = options.peers and (os.getenv("PERILUNE_BENCH_PYTHON") or "python3")
  self.results, self.failures = {}, {}
  self.modules = {}
end

local function quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

--- Standard output of a command, and whether it ended well.
local function capture(command)
  local pipe = io.popen(command .. "; echo \"exit $?\"")
  local text = pipe:read("*a")
  pipe:close()
  local output, code = text:match("^(.*)exit (%d+)\n$")
  return output or "", code == "0"
end

local function numbers_of(text)
  local found = {}
  for name, value in text:gmatch('([%w_]+)"?[ \t:]+([%w.+-]+)') do
    found[name] = tonumber(value)
  end
  return found
end

-- ---- the machine ------------------------------------------------------------------------------

--- Measures the machine's limits now: GFLOP/s and GB/s.
function Runner:measure_peak()
  local text = capture(quote(self.build .. "/bench_peak"))
  local peak = numbers_of(text)
  peak.vectors = text:match("vectors (%w+)")
  return peak
end

--- The limits measured first.
function Runner:peak()
  self.first_peak = self.first_peak or self:measure_peak()
  return self.first_peak
end

-- ---- peers ------------------------------------------------------------------------------------

--- Whether the peer's interpreter has a module.
function Runner:has(module)
  if not self.python then return false end
  if self.modules[module] == nil then
    local question = "import importlib.util, sys; sys.exit(not importlib.util.find_spec(\"%s\"))"
    local _, ok = capture(("%s -c '%s' 2>&1"):format(self.python, question:format(module)))
    self.modules[module] = ok
  end
  return self.modules[module]
end

function Runner:peer_description()
  if not self.python then return "none asked for" end
  if not self:has("torch") then return self.python .. " has no torch" end
  local version = capture(self.python .. " -c 'import torch; print(torch.__version__)'")
  return "PyTorch " .. version:gsub("%s+$", "")
end

--- A folder with Fashion-MNIST as torchvision wants it: inflated, below FashionMNIST/raw.
function Runner:peer_data()
  local root = self.build .. "/bench_data"
  local raw = root .. "/FashionMNIST/raw"
  capture(("mkdir -p %s && for f in /usr/share/datasets/fashion-mnist/*.gz; do "
    .. "o=%s/$(basename $f .gz); [ -e $o ] || gunzip -c $f > $o; done"):format(quote(raw),
    quote(raw)))
  return root
end

-- ---- workers ----------------------------------------------------------------------------------

--- f(folder) with an empty folder beside the build's files, which is removed afterwards.
function Runner:with_folder(f)
  local folder = self.build .. "/bench_files"
  local function done(...)
    capture("rm -rf " .. quote(folder))
    return ...
  end
  capture(("rm -rf %s && mkdir -p %s"):format(quote(folder), quote(folder)))
  return done(f(folder))
end

local function environment(worker, build)
  local words = {}
  if worker.threads then
    words[1] = ("OMP_NUM_THREADS=%d PERILUNE_THREADS=%d"):format(worker.threads, worker.threads)
  end
  if worker.preload then
    words[#words + 1] = "LD_PRELOAD=" .. quote(build .. "/" .. worker.preload)
  end
  return table.concat(words, " ")
end

local function arguments(worker)
  local words = {}
  for i = 2, #worker do words[#words + 1] = quote(worker[i]) end
  if worker.start then words[#words + 1] = ("%.9f"):format(engine.clock()) end
  return table.concat(words, " ")
end

--- One process; answers its numbers, or nil and its last words.
function Runner:run_worker(worker)
  local host, is_peer = quote(self.build .. "/perilune"), worker[1]:match("%.py$")
  local command
  if worker.file then
    local path = self.build .. "/bench_recipe.json"
    command = ("%s recipes/fashion_mnist.lua --epochs 1 --quiet --json %s && cat %s"):format(host,
      quote(path), quote(path))
  elseif is_peer then
    command = ("%s -B bench/peers/%s"):format(self.python, worker[1])
  else
    command = ("%s bench/ours/%s"):format(host, worker[1])
  end
  local errors_path = os.tmpname()
  local text, ok = capture(("%s %s %s 2>%s"):format(environment(worker, self.build), command,
    arguments(worker), errors_path))
  local file = io.open(errors_path)
  local complaint = file:read("*a")
  file:close()
  os.remove(errors_path)
  if ok then return numbers_of(text) end
  return nil, complaint:gsub("%s+$", ""):match("([^\n]*)$")
end

local function key_of(worker)
  return table.concat(worker, " ") .. (worker.preload or "")
end

--- Runs a worker once more unless it has enough runs.
function Runner:add_run(worker)
  local key = key_of(worker)
  local runs = self.results[key] or {}
  self.results[key] = runs
  if self.failures[key] or #runs >= (worker.once and 1 or self.repeats) then return end
  local numbers, why = self:run_worker(worker)
  if numbers then runs[#runs + 1] = numbers else self.failures[key] = why end
end

--- Median and spread of one number over a worker's runs; nil and why without any.
function Runner:statistics(worker, name)
  local values = {}
  for _, numbers in ipairs(self.results[key_of(worker)] or {}) do
    values[#values + 1] = numbers[name]
  end
  if #values == 0 then return nil, self.failures[key_of(worker)] or "printed no " .. name end
  table.sort(values)
  local median = values[math.floor((#values + 1) / 2)]
  return { median = median, spread = (values[#values] - values[1]) / math.max(median, 1e-30) }
end

local function missing_module(self, worker)
  for _, module in ipairs{ "torch", unpack(worker.modules or {}) } do
    if not self:has(module) then return "peer has no " .. module end
  end
end

--- One number of our worker and of the peer's, run in turn.
-- @return ours, the peer's ({ median, spread } or nil), and why one is missing
function Runner:pair(name, ours, peer, peer_name)
  local why
  if peer then
    why = not self.python and "no peer asked for" or missing_module(self, peer)
    if why then peer = nil end
  end
  for _ = 1, self.repeats do
    self:add_run(ours)
    if peer then self:add_run(peer) end
  end
  local mine, my_problem = self:statistics(ours, name)
  local theirs, their_problem
  if peer then theirs, their_problem = self:statistics(peer, peer_name or name) end
  return mine, theirs, my_problem or why or their_problem
end

return Runner
