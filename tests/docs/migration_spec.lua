-- The tables of docs/from-*.md: every name of the other library has one row, and what a row says
-- is there exists.
local pl = require "perilune"
local check = require "perilune.check"
local options = require "perilune.trainer.options"
local class, data, nn = pl.class, pl.data, pl.nn

-- "Trainer" = "a b" are Trainer(a) and Trainer(b); "Trainer." = "a b" Trainer.a and Trainer.b;
-- "" = "a b" the names as they are.
local accelerated = {
  { "", [[Trainer TrainerWithTimmScheduler TrainerPlaceholderValues
    replace_trainer_placeholder_values DEFAULT_CALLBACKS notebook_launcher __version__ set_seed
    TrainerCallback CallbackHandler StopTrainingError CallbackMethodNotImplementedError
    get_default_callbacks TrainerRunConfig TrainerRunConfig.to_dict RunHistory InMemoryRunHistory
    LossTracker SchedulerBase StatefulSchedulerBase CosineLrScheduler WSDLrScheduler
    estimate_checkpoint_steps ModelFreezer Layer LayerGroup BN_MODULES LimitBatches
    LIMIT_BATCHES_ENV_VAR DataLoaderSlice ModelEma local_process_zero_only world_process_zero_only
    local_process_zero_first worker_init_fn remove_padding]] },
  { "Trainer", "model loss_func optimizer callbacks run_history" },
  { "Trainer.train", [[train_dataset num_epochs eval_dataset per_device_batch_size
    max_num_train_steps gradient_accumulation_steps gradient_clip_value create_scheduler_fn
    train_dataloader_kwargs eval_dataloader_kwargs reset_run_history collate_fn resume_from]] },
  { "Trainer.evaluate", "dataset per_device_batch_size dataloader_kwargs collate_fn" },
  { "Trainer.gather", "padding_value" },
  { "Trainer.save_checkpoint",
    "path checkpoint_kwargs save_optimizer save_scheduler save_per_node" },
  { "Trainer.load_checkpoint", "path load_optimizer load_scheduler" },
  { "Trainer.save_training_state", "dir checkpoint_kwargs" },
  { "Trainer.", [[train evaluate get_default_train_dl_kwargs get_default_eval_dl_kwargs
    create_train_dataloader create_eval_dataloader create_scheduler gather print save_checkpoint
    load_checkpoint save_training_state load_training_state get_model device
    _create_callback_handler _create_accelerator _prepare_model_optimizer_and_dataloaders
    _create_run_config _check_eval_batch_size _run_training _run_train_epoch _run_eval_epoch
    _perform_forward_and_backward_passes _update_loss_tracker _clip_gradients training_run_start
    train_epoch_start calculate_train_batch_loss backward_step optimizer_step scheduler_step
    optimizer_zero_grad train_epoch_end eval_epoch_start calculate_eval_batch_loss eval_epoch_end
    training_run_epoch_end training_run_end evaluation_run_start evaluation_run_end]] },
  { "trainer.", [[model loss_func optimizer scheduler create_scheduler_fn collate_fn train_dataset
    eval_dataset _train_dataloader _eval_dataloader _train_dl_kwargs _eval_dl_kwargs run_config
    run_history callback_handler _accelerator _loss_tracker _pad_uneven_eval_batches]] },
  { "run_config.", [[num_epochs train_per_device_batch_size train_dl_kwargs
    eval_per_device_batch_size eval_dl_kwargs gradient_accumulation_steps gradient_clip_value
    train_total_batch_size eval_total_batch_size num_update_steps_per_epoch
    num_local_update_steps_per_epoch max_num_train_steps is_local_process_zero
    is_world_process_zero is_distributed mixed_precision num_processes]] },
  { "TrainerPlaceholderValues.", [[NUM_EPOCHS NUM_UPDATE_STEPS_PER_EPOCH
    PER_PROCESS_NUM_UPDATE_STEPS_PER_EPOCH TRAIN_DATALOADER_LEN EVAL_DATALOADER_LEN]] },
  { "RunHistory.", [[get_metric_names get_metric_values get_latest_metric update_metric
    delete_metric set_metric_name_prefix metric_name_prefix current_epoch _increment_epoch
    _set_epoch reset]] },
  { "LossTracker.", "loss_value average total_loss running_count update reset" },
  { "metric ", [[train_loss_epoch eval_loss_epoch evaluation_loss intermediate_eval_loss
    ema_model_eval_loss_epoch]] },
  { "", [[on_init_end on_training_run_start on_train_epoch_start on_train_step_start
    on_train_step_end on_train_epoch_end on_eval_epoch_start on_eval_step_start on_eval_step_end
    on_eval_epoch_end on_training_run_epoch_end on_training_run_end on_evaluation_run_start
    on_evaluation_run_end on_stop_training_error]] },
  { "CallbackHandler.",
    "call_event add_callback add_callbacks clear_callbacks callback_list _enabled __iter__" },
  { "", [[LogMetricsCallback LogMetricsCallback.log_metrics PrintProgressCallback
    ProgressBarCallback MoveModulesToDeviceCallback TerminateOnNaNCallback SaveBestModelCallback
    EarlyStoppingCallback ModelEmaCallback ConvertSyncBatchNormCallback StepBasedEvaluationCallback
    LimitEvalStepsCallback LimitBatchesCallback SaveTrainingStateCallback
    WSDCheckpointCallback]] },
  { "SaveBestModelCallback", [[save_path watch_metric greater_is_better reset_on_train
    save_optimizer save_scheduler load_saved_checkpoint]] },
  { "EarlyStoppingCallback", [[early_stopping_patience early_stopping_threshold watch_metric
    greater_is_better reset_on_train]] },
  { "ModelEmaCallback", [[decay evaluate_during_training save_path watch_metric greater_is_better
    model_ema callbacks]] },
  { "StepBasedEvaluationCallback", "eval_every_n_steps" },
  { "LimitEvalStepsCallback", "num_eval_steps limit_intermediate_only" },
  { "LimitBatchesCallback", "num_batches" },
  { "SaveTrainingStateCallback",
    "save_dir save_every_n_epochs save_every_n_steps save_at_end max_checkpoints" },
  { "WSDCheckpointCallback", "save_dir save_optimizer save_scheduler initial_checkpoint" },
  { "SchedulerBase", "optimizer param_group_field" },
  { "SchedulerBase.", "get_updated_values step_update state_dict load_state_dict" },
  { "StatefulSchedulerBase.", "step" },
  { "CosineLrScheduler", [[total_num_epochs num_update_steps_per_epoch k_decay lr_min min_lr_ratio
    num_warmup_epochs warmup_starting_lr warmup_starting_lr_ratio num_cooldown_epochs]] },
  { "CosineLrScheduler.", "create_scheduler_fn" },
  { "WSDLrScheduler", [[num_epochs num_update_steps_per_epoch total_steps num_warmup_steps
    decay_phase_ratio lr_min warmup_starting_lr use_inverse_sqrt_decay num_checkpoints
    is_continuation_from_checkpoint]] },
  { "WSDLrScheduler.", [[create_scheduler_fn get_checkpoint_steps get_phase_info get_decay_info
    get_current_step get_current_phase_info]] },
  { "ModelEma", "model decay" },
  { "ModelEma.", "update set update_fn" },
  { "ModelFreezer", "model freeze_batch_norms" },
  { "ModelFreezer.", [[get_layer_groups get_layers get_trainable_parameters freeze unfreeze]] },
  { "ModelFreezer.freeze", "from_index to_index set_modules_as_eval" },
  { "ModelFreezer.unfreeze", "from_index to_index set_modules_as_training" },
}

local flags = [[accelerator strategy devices num_nodes precision plugins sync_batchnorm logger
  callbacks fast_dev_run max_epochs min_epochs max_steps min_steps max_time limit_train_batches
  limit_val_batches limit_test_batches limit_predict_batches overfit_batches val_check_interval
  check_val_every_n_epoch num_sanity_val_steps log_every_n_steps enable_checkpointing
  enable_progress_bar enable_model_summary accumulate_grad_batches gradient_clip_val
  gradient_clip_algorithm deterministic benchmark inference_mode use_distributed_sampler profiler
  detect_anomaly barebones reload_dataloaders_every_n_epochs default_root_dir
  enable_autolog_hparams model_registry suggest_integrations]]

local lightning = {
  { "", flags },
  { "Trainer.", "fit validate test predict save_checkpoint init_module print" },
  { "", [[BackboneFinetuning BaseFinetuning BasePredictionWriter BatchSizeFinder Callback Checkpoint
    DeviceStatsMonitor EarlyStopping EMAWeightAveraging GradientAccumulationScheduler LambdaCallback
    LearningRateFinder LearningRateMonitor ModelCheckpoint ModelPruning ModelSummary
    OnExceptionCheckpoint ProgressBar RichModelSummary RichProgressBar SpikeDetection
    StochasticWeightAveraging ThroughputMonitor Timer TQDMProgressBar WeightAveraging]] },
}

local function names_of(expected)
  local list = {}
  for _, entry in ipairs(expected) do
    local owner = entry[1]
    local form = (owner == "" or owner:find("[. ]$")) and owner .. "%s" or owner .. "(%s)"
    for name in entry[2]:gmatch("%S+") do list[#list + 1] = form:format(name) end
  end
  return list
end

-- The rows of a page's tables: { line =, name =, ours =, note = }, without the headings.
local function rows_of(path)
  local rows, number, in_table = {}, 0, false
  for line in io.lines(path) do
    number = number + 1
    local is_row = line:sub(1, 1) == "|"
    if is_row and in_table then
      local name, ours, note = line:match("^| `([^`]+)` | ([^|]+) | ?([^|]*)|$")
      assert(name, ("%s:%d is no row: %s"):format(path, number, line))
      rows[#rows + 1] = { line = number, name = name, ours = ours, note = note:match("^(.-) ?$") }
    end
    if line:find("^|%-") then in_table = true elseif not is_row then in_table = false end
  end
  return rows
end

-- ---- what a row names ----

-- A run with all that hooks see: the trainer, and the names it recorded.
local seen
local function see_a_run()
  if seen then return seen end
  local model, set = nn.Linear(2, 1), data.TensorDataset(pl.randn(8, 2), pl.randn(8, 1))
  local fields = {}
  local look = { on_training_run_end = function(_, trainer)
    for name, value in pairs(trainer) do fields[name] = value end
  end }
  local trainer = pl.Trainer{ model = model, loss_func = nn.MSELoss(), quiet = true,
    optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }),
    callbacks = { look, pl.callbacks.StepBasedEvaluationCallback(1) } }
  trainer:train{ train_dataset = set, eval_dataset = set, num_epochs = 1,
    collate_fn = data.collate,
    create_scheduler_fn = pl.schedulers.StepLR:create_scheduler_fn{ step_size = 1 } }
  trainer:evaluate{ dataset = set }
  seen = { trainer = fields, metrics = {} }
  for _, name in ipairs(trainer.run_history:get_metric_names()) do seen.metrics[name] = true end
  return seen
end

-- a.b.C:method, from pl, Trainer, trainer or a module perilune.a.b.
local function value_of(path)
  local head, method = path:match("^([%w_.]+):?([%w_]*)$")
  assert(head, "is no expression")
  local value, rest
  if head:find("^perilune%.") then
    value, rest = require(head), ""
  else
    local root
    root, rest = head:match("^([%w_]+)(.*)$")
    value = ({ pl = pl, Trainer = pl.Trainer, trainer = root == "trainer"
      and see_a_run().trainer })[root]
  end
  for key in rest:gmatch("%.([%w_]+)") do
    assert(value ~= nil, "does not exist")
    value = value[key]
  end
  if method ~= "" then
    value = value[method]
    assert(type(value) == "function", "is no method")
  end
  assert(value ~= nil, "does not exist")
  return value
end

local function has_entry(schema, name)
  for _, entry in ipairs(schema) do
    if (entry.name or entry[1]) == name then return true end
  end
  return false
end

-- A method says first that it does not know an option, then that a required one is missing or that
-- the value is wrong.
local function takes_option(method, name)
  local ok, err = pcall(method, {}, { [name] = coroutine.create(function() end) })
  local text = tostring(err)
  return not ok and (text:find(": option '[%w_]+' is required") ~= nil
    or text:find(("'%s' must be"):format(name), 1, true) ~= nil)
end

local function check_option(owner, name)
  local found
  if owner == "train" or owner == "evaluate" or owner == "predict" then
    found = has_entry(options[owner], name)
  else
    local value = value_of(owner)
    if class.is_class(value) then
      found = has_entry(check.merged(value), name)
    else
      found = takes_option(value, name)
    end
  end
  assert(found, "is no option")
end

local kinds = {
  { "^(%S+) option (%S+)$", check_option },
  { "^run_config field (%S+)$", function(name)
    return see_a_run().trainer.run_config[name] end },
  { "^event (%S+)$", function(name)
    for _, event in ipairs(pl.Trainer.events) do
      if event == name then return end
    end
    error("is no event", 0)
  end },
  { "^metric (%S+)$", function(name)
    assert(see_a_run().metrics[name], "is not recorded") end },
  { "^(%S+)$", value_of },
}

local function check_expression(text)
  for _, kind in ipairs(kinds) do
    local first, second = text:match(kind[1])
    if first then return pcall(kind[2], first, second) end
  end
  return false, "is no expression"
end

-- What is wrong with a row, a list of sentences.
local function problems_of(row)
  local problems = {}
  local function add(text) problems[#problems + 1] = ("line %d: %s"):format(row.line, text) end
  if row.ours == "-" then
    if row.note == "" then add(row.name .. " is absent for no reason") end
    return problems
  end
  local rest = row.ours:gsub("`([^`]+)`", function(text)
    local ok, err = check_expression(text)
    if not ok then add(("%s: %s"):format(text, tostring(err))) end
    return ""
  end)
  if rest:find("[^, ]") then add(("%s: text beside expressions"):format(row.ours)) end
  return problems
end

local function check_page(path, expected)
  local problems, there = {}, {}
  for _, row in ipairs(rows_of(path)) do
    for _, problem in ipairs(problems_of(row)) do problems[#problems + 1] = problem end
    if there[row.name] then problems[#problems + 1] = row.name .. " has two rows" end
    there[row.name] = true
  end
  for _, name in ipairs(names_of(expected)) do
    if not there[name] then problems[#problems + 1] = name .. " has no row" end
    there[name] = nil
  end
  for name in pairs(there) do problems[#problems + 1] = name .. " is not theirs" end
  return problems
end

describe("The page for those who come from", function()
  it("pytorch-accelerated has every name, and what it names exists", function()
    assert.are.same({}, check_page("docs/from-pytorch-accelerated.md", accelerated))
  end)

  it("Lightning has every flag, and what it names exists", function()
    assert.are.same({}, check_page("docs/from-lightning.md", lightning))
    local _, count = flags:gsub("%S+", "")
    assert.are.equal(42, count)
  end)
end)

describe("The check of a row", function()
  local function problems(ours, note)
    return #problems_of{ line = 1, name = "x", ours = ours, note = note or "" }
  end

  it("finds what does not exist", function()
    for _, ours in ipairs{ "`pl.callbacks.NoSuchCallback`", "`pl.Trainer:no_such_method`",
      "`Trainer:nothing`", "`trainer.nothing`", "`train option nothing`", "`event on_nothing`",
      "`run_config field nothing`", "`metric nothing`", "`Trainer option nothing`",
      "`Trainer:save_checkpoint option nothing`", "`perilune.nothing`",
      "`pl.callbacks.Timer option nothing`", "`pl.nothing.at_all`", "`a b c d`", "words", "-" } do
      assert.are.equal(1, problems(ours), ours)
    end
  end)

  it("accepts what exists, and a reason", function()
    for _, ours in ipairs{ "`pl.callbacks.Timer`, `Trainer:train`", "`trainer.model`",
      "`Trainer:save_checkpoint option path`", "`metric eval_loss_epoch`", "`event on_log`" } do
      assert.are.equal(0, problems(ours), ours)
    end
    assert.are.equal(0, problems("-", "one process"))
  end)
end)
