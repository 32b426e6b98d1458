-- Inputs for the losses; the forms are those of samples.lua.

local function x(shape, low, high) return { shape = shape, low = low or -2, high = high or 2 } end
local function positions(shape, n) return { shape = shape, positions = n } end

local function pair_loss(low, high, attributes)
  local cases = {}
  for _, reduction in ipairs{ "mean", "sum", "none" } do
    local a = { reduction = reduction }
    for k, v in pairs(attributes or {}) do a[k] = v end
    for _, shape in ipairs{ { 2, 3 }, {}, { 37 } } do
      cases[#cases + 1] = { { x(shape), x(shape, low, high) }, a }
    end
  end
  cases[#cases + 1] = { { x{ 2, 3 }, x({ 4 }, low, high) }, nil, { wrong = true } }
  return cases
end

--- Every reduction, with and without class weights and smoothing.
local function soft_loss()
  local cases = {}
  for _, reduction in ipairs{ "mean", "sum", "none" } do
    for _, smoothing in ipairs{ 0, 0.125 } do
      local a = { reduction = reduction, label_smoothing = smoothing }
      cases[#cases + 1] = { { x{ 4, 3 }, x({ 4, 3 }, 0, 1) }, a }
      cases[#cases + 1] = { { x{ 4, 3 }, x({ 4, 3 }, 0, 1), x({ 3 }, 0.5, 2) }, a }
    end
  end
  cases[#cases + 1] = { { x{ 5 }, x({ 5 }, 0, 1) } }
  cases[#cases + 1] = { { x{ 0, 3 }, x{ 0, 3 } }, { reduction = "sum" } }
  cases[#cases + 1] = { { x{ 4, 3 }, x{ 4, 2 } }, nil, { wrong = true } }
  cases[#cases + 1] = { { x{ 4, 3 }, x{ 4, 3 }, x{ 4 } }, nil, { wrong = true } }
  cases[#cases + 1] = { { x{ 4, 3 }, x{ 4, 3 } }, { label_smoothing = 1.5 }, { wrong = true } }
  return cases
end

--- Every reduction, with and without class weights and ignored targets.
local function class_loss(extra)
  local cases = {}
  local function add(attributes, weight, target)
    local case = { { x{ 4, 3 }, positions({ 4 }, target or 3) }, attributes,
      { constant = { [3] = true } } }
    if weight then case[1][3] = x({ 3 }, 0.5, 2) end
    cases[#cases + 1] = case
  end
  for _, reduction in ipairs{ "mean", "sum", "none" } do
    for _, weight in ipairs{ false, true } do
      add({ reduction = reduction }, weight)
      add({ reduction = reduction, ignore_index = 2 }, weight)
      add({ reduction = reduction }, weight, { 1, -100, 3, 2 })
      for _, a in ipairs(extra or {}) do
        local merged = { reduction = reduction }
        for k, v in pairs(a) do merged[k] = v end
        add(merged, weight)
      end
    end
  end
  cases[#cases + 1] = { { x{ 33, 10 }, positions({ 33 }, 10) }, nil, { grad = false } }
  cases[#cases + 1] = { { x{ 2, 70 }, positions({ 2 }, 70) }, nil, { grad = false } }
  cases[#cases + 1] = { { x{ 0, 3 }, positions({ 0 }, 3) }, { reduction = "sum" },
    { grad = false } }
  cases[#cases + 1] = { { x{ 4, 3 }, positions({ 5 }, 3) }, nil, { wrong = true } }
  cases[#cases + 1] = { { x{ 4, 3 }, positions({ 4 }, { 1, 2, 4, 3 }) }, nil, { wrong = true } }
  cases[#cases + 1] = { { x{ 4, 3 }, positions({ 4 }, 3), x{ 4 } }, nil, { wrong = true } }
  return cases
end

--- The gradient rows of losses: what the forward got, its saved values, and a gradient.
local function class_loss_backward(saved, smoothing, constant)
  local cases = {}
  for _, reduction in ipairs{ "mean", "sum", "none" } do
    for _, weight in ipairs{ false, true } do
      local inputs = { x{ 4, 3 }, positions({ 4 }, { 1, 3, -100, 2 }), weight and x({ 3 }, 0.5, 2) }
      for _, input in ipairs(saved) do inputs[#inputs + 1] = input end
      inputs[#inputs + 1] = x(reduction == "none" and { 4 } or {})
      cases[#cases + 1] = { inputs, { reduction = reduction, label_smoothing = smoothing },
        { dense = true, constant = constant, second = false } }
    end
  end
  return cases
end

return {
  soft_cross_entropy = soft_loss(),
  cross_entropy = class_loss{ { label_smoothing = 0.125 }, { label_smoothing = 0.5,
    ignore_index = 3 } },
  nll_loss = class_loss(), nll_loss_backward = class_loss_backward({}, nil, { true, [3] = true }),
  cross_entropy_backward = class_loss_backward({ { shape = { 4 }, log_sum_of = 1 } }, 0.25,
    { [3] = true }),
  mse_loss = pair_loss(), l1_loss = pair_loss(), huber_loss = pair_loss(-2, 2, { delta = 0.75 }),
  bce_with_logits = pair_loss(0.1, 0.9),
}
