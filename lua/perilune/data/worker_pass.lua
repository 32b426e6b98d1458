--- A pass whose batches workers make, in turn: worker w makes batches w, w + n, ...; each is one
-- batch ahead. Samples and random numbers are those of a pass without workers. Of a dataset that
-- only iterates every worker takes all samples and makes its own batches of them.

local ffi = require "ffi"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local paths = require "perilune.paths"
local batch = require "perilune.data.batch"
local pack = require "perilune.data.pack"
local sample_pass = require "perilune.data.sample_pass"
local C = require "perilune.data.ffi"

local out_worker = ffi.new "pl_worker *[1]"
local out_bytes, out_size = ffi.new "const char *[1]", ffi.new "int64_t[1]"

-- The paths are said before anything is required: a worker finds what this state found.
local function code()
  local jit_state = jit.status() and "" or "jit.off()\n"
  return jit_state .. ("package.path, package.cpath = %q, %q\n"
    .. "package.loaded['perilune.paths'] = { lua = %q, lib = %q, header = %q }\n"
    .. "return require 'perilune.data.worker'"):format(package.path, package.cpath, paths.lua,
    os.getenv "PERILUNE_LIB" or paths.lib, paths.header)
end

local function send(worker, bytes)
  engine.check(C.pl_worker_send(worker, bytes, #bytes))
end

local function receive(worker)
  local ok = C.pl_worker_receive(worker, out_bytes, out_size)
  local bytes = ffi.string(out_bytes[0], out_size[0])
  if ok == 0 then errors.raise("user", "a worker failed: " .. bytes) end
  return pack.read(bytes)
end

-- { loader = { dataset =, collate_fn =, ... } }, each under its own name in errors.
local function pack_loader(loader)
  local request = { loader = { dataset = loader.dataset, collate_fn = loader.collate_fn,
    batch_size = loader.batch_size, drop_last = loader.drop_last } }
  return pack.whole(request, "", "a worker")
end

local function start_workers(loader, batches)
  local bytes, held = pack_loader(loader)
  local workers, source = {}, code()
  for w = 1, math.min(loader.num_workers, batches) do
    engine.check(C.pl_worker_new(source, #source, out_worker))
    workers[w] = ffi.gc(out_worker[0], C.pl_worker_free)
    send(workers[w], bytes)
  end
  for _, worker in ipairs(workers) do receive(worker) end
  return workers, held
end

-- Ask for a batch, counted from 0, if there is one: by its samples, or where they only come in
-- turn by its number.
local function ask(self, b)
  if b >= self.batches then return end
  local request = { seed = self.seed, epoch = self.epoch }
  if self.plan then
    request.positions = sample_pass.positions_of(self.plan, b, self.size)
  else
    request.number = b
  end
  send(self.workers[b % #self.workers + 1], (pack.data(request)))
end

local function raise(e)
  local made = errors.new(e.kind, e.message, { op = e.op, argument = e.argument })
  made.where, made.traceback = e.where, e.traceback
  error(made, 0)
end

local Pass = {}
Pass.__index = Pass

--- End the pass; what workers have made already is dropped.
function Pass:close()
  local workers = self.workers
  if not workers then return end
  self.workers = nil
  for _, worker in ipairs(workers) do C.pl_worker_free(ffi.gc(worker, nil)) end
end

local function next_batch(self)
  if not self.workers then return nil end
  local b = self.taken
  if b >= self.batches then
    self:close()
    return nil
  end
  local answer = receive(self.workers[b % #self.workers + 1])
  self.taken = b + 1
  if answer.message then
    self:close()
    raise(answer)
  end
  if not answer.batch then
    self:close()
    return nil
  end
  ask(self, b + #self.workers)
  return batch.make(answer.batch)
end

--- Start a pass.
-- @param plan of the pass, nil where samples come as they come
-- @return what a `for` loop takes; the second value has `close()`
return function(loader, plan, seed, epoch)
  local batches = plan and plan.batches or math.huge
  local workers, held = start_workers(loader, batches)
  local self = setmetatable({ workers = workers, held = held, plan = plan, batches = batches,
    seed = seed, epoch = epoch, size = plan and loader.dataset:size(), taken = 0 }, Pass)
  for b = 0, #workers - 1 do ask(self, b) end
  return next_batch, self
end
