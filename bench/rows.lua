-- The rows of the bench. measure(runner) answers ours, the peer's, each { median, spread } in
-- seconds, bytes or a plain number, and a word where one is missing. `limit_of` says what the limit
-- binds: "ratio" (peer / ours, at least), or ours, which must be at "least" or at "most" the limit.

-- Floating point operations of a training step of 784-128-64-10 at batch 32: every product once
-- forward and twice backward, but for the first layer's input, which needs no gradient.
local MLP_FLOP = 2 * 32 * (3 * (784 * 128 + 128 * 64 + 64 * 10) - 784 * 128)

local rows = {}

local function row(name, unit, limit_of, limit, measure)
  rows[#rows + 1] =
    { name = name, unit = unit, limit_of = limit_of, limit = limit, measure = measure }
end

local function worker(file, threads) return { file, threads, threads = threads } end

--- A training step of `name`, ours and the peer's.
local function step(name, threads)
  return function(runner)
    return runner:pair(name, worker(name .. ".lua", threads), worker(name .. ".py", threads))
  end
end

local epoch = { "epoch.lua", threads = 1 }
local recipe = { "recipe", file = true }

--- Slow, and its numbers are far from ours: once is enough.
local function quick_start(runner)
  return { "quick_start.py", runner:peer_data(), 1, start = true, once = true,
    modules = { "torchvision", "pytorch_accelerated" } }
end

local function overhead(name)
  return function(runner)
    return runner:pair(name, { "op_overhead.lua", threads = 1 }, { "op_overhead.py", threads = 1 })
  end
end

local function against_quick_start(name, peer_name, ours)
  return function(runner) return runner:pair(name, ours, quick_start(runner), peer_name) end
end

row("mlp_step_1t", "us", "ratio", 4, step("mlp_step", 1))

--- A share of the peak, the larger of those measured before and after.
row("mlp_peak_1t", "fraction", "least", { avx512 = 0.5, avx2 = 0.6 }, function(runner)
  local ours, _, why = runner:pair("mlp_step", worker("mlp_step.lua", 1))
  if not ours then return nil, nil, why end
  local peak = math.max(runner:peak().fma_1t, runner:measure_peak().fma_1t) * 1e9
  return { median = MLP_FLOP / ours.median / peak, spread = ours.spread }
end)

row("mlp_step_2t", "us", "ratio", 7, step("mlp_step", 2))

row("mlp_scaling", "fraction", "least", 1.3, function(runner)
  local one, _, why = runner:pair("mlp_step", worker("mlp_step.lua", 1))
  local two = runner:pair("mlp_step", worker("mlp_step.lua", 2))
  if not (one and two) then return nil, nil, why end
  return { median = one.median / two.median, spread = math.max(one.spread, two.spread) }
end)

row("convnet_step_1t", "ms", "ratio", 1, step("convnet_step", 1))
row("convnet_step_2t", "ms", "ratio", 1.15, step("convnet_step", 2))

--- Ours alone: bf16-mixed over f32.
local function half_convnet(name)
  return function(runner) return runner:pair(name, { "convnet_bf16.lua", threads = 1 }) end
end

row("convnet_bf16_memory", "fraction", "most", 0.6, half_convnet("convnet_bf16_memory"))
row("convnet_bf16_time", "fraction", "most", 1.3, half_convnet("convnet_bf16_time"))
row("lstm_step_1t", "ms", "ratio", 1.2, step("lstm_step", 1))

row("epoch_over_bare", "fraction", "most", 1.25, function(runner)
  return runner:pair("epoch_over_bare", epoch)
end)

row("trainer_overhead", "fraction", "most", 1.05, function(runner)
  return runner:pair("trainer_overhead", { "trainer_overhead.lua", threads = 1 })
end)

row("epoch_1t", "s", "ratio", 4, function(runner)
  return runner:pair("epoch", epoch, { "epoch.py", threads = 1 })
end)

row("epoch_quick_start", "s", "ratio", 20, against_quick_start("epoch", "epoch", epoch))

row("start_require", "ms", "most", 20, function(runner)
  return runner:pair("start_require", { "require.lua", start = true },
    { "import_torch.py", start = true })
end)

row("start_first_update", "ms", "most", 200,
  against_quick_start("time_to_first_update_s", "first_update", recipe))

row("peak_rss", "MiB", "most", 160, against_quick_start("peak_rss_bytes", "peak_rss", recipe))

row("op_overhead", "us", "most", 0.3, overhead("op_overhead"))
row("op_overhead_grad", "us", "most", 0.5, overhead("op_overhead_grad"))
row("backward_overhead", "us", "most", 3, overhead("backward_overhead"))

row("step_mallocs", "count", "most", 0, function(runner)
  local worst, missing
  for threads = 1, 2 do
    local ours, _, why = runner:pair("step_mallocs",
      { "step_mallocs.lua", threads, threads = threads, preload = "libbench_malloc_count.so" })
    missing = missing or why
    if ours and not (worst and worst.median >= ours.median) then worst = ours end
  end
  return not missing and worst or nil, nil, missing
end)

--- A worker that writes large files, in a folder that is removed afterwards; once is enough.
local function with_files(name)
  return function(runner)
    return runner:with_folder(function(folder)
      return runner:pair(name, { name .. ".lua", folder, once = true })
    end)
  end
end

row("snapshot_stall", "fraction", "most", 1.3, with_files "snapshot_stall")
row("resume", "s", "most", 0.5, with_files "resume")

return rows
