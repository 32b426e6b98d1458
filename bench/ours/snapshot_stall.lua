-- How long a run stands still for a training state of 100 million parameters with AdamW (1.2 GB):
-- from the end of one step to the beginning of the next, over one memcpy of those bytes just
-- before. The first state, whose memory is fresh, is reported apart; the disk is waited for between
-- two states.

package.path = "./bench/ours/?.lua;" .. package.path
local ffi = require "ffi"
local pl = require "perilune"
local quiet = require "quiet"
local clock = pl.engine.clock

ffi.cdef [[
void *malloc(size_t n);
void free(void *p);
void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
]]

local folder = arg[1]
local WIDE, NARROW, STATES = 10000, 1000, 4
local layers = {}
for i = 1, 5 do
  layers[2 * i - 1] = pl.nn.Linear(NARROW, WIDE, { bias = false })
  layers[2 * i] = pl.nn.Linear(WIDE, NARROW, { bias = false })
end
local model = pl.nn.Sequential(layers)
local bytes = 10 * WIDE * NARROW * 4 * 3
local from, to = ffi.C.malloc(bytes), ffi.C.malloc(bytes)
ffi.C.memset(from, 1, bytes)
ffi.C.memset(to, 2, bytes)

local copies, stalls, since = {}, {}, nil
local watch = { priority = -100 }

function watch:on_train_step_start()
  if since then stalls[#stalls + 1] = clock() - since end
  since = nil
end

-- Every second update asks for a state.
function watch:on_train_step_end(trainer)
  trainer:wait_for_saves()
  if trainer.update % 2 == 0 then return end
  local start = clock()
  ffi.C.memcpy(to, from, bytes)
  copies[#copies + 1] = clock() - start
  trainer:save_training_state(folder .. "/state")
  since = clock()
end

local n = 2 * STATES
pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(), callbacks = { watch }, quiet = true,
  optimizer = pl.optim.AdamW(model:parameters(), { lr = 1e-4 }) }:train{ num_epochs = 1,
  per_device_batch_size = 1,
  train_dataset = pl.data.TensorDataset(pl.randn(n, NARROW), pl.randn(n, NARROW)) }
ffi.C.free(from)
ffi.C.free(to)

local ratios = {}
for i = 2, STATES do ratios[i - 1] = stalls[i] / copies[i] end
print("snapshot_stall", quiet.median(ratios))
print("first_snapshot", stalls[1] / copies[1])
print("memcpy_s", quiet.median(copies))
