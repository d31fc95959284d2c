-- watching.lua: what a person sees of a training: a status line while an epoch runs, a line that stays after each.
local progress = require 'hz.base.progress'

local M = {}

local function noun(run) return run.plan.options.data.sounds and 'sounds' or 'images' end

local function line_of(row, run, name)
  local watch = row.watch_accuracy and ('  %s loss %.4f  accuracy %.2f %%'):format(name, row.watch_loss or 0 / 0,
    100 * row.watch_accuracy) or ''
  return ('epoch %d/%d  loss %.4f  accuracy %.2f %%%s  %.1f s  %.0f %s/s'):format(row.epoch, run.epochs, row.loss,
    100 * row.accuracy, watch, row.seconds, #run.plan.options.data.labels / row.seconds, noun(run))
end

local function status_of(run)
  local done = run.optimizer.steps / run.total_steps
  return ('epoch %d/%d  step %d/%d  loss %.4f  accuracy %.2f %%  %.0f %s/s  %s left'):format(
    run.plan.epoch + 1, run.epochs, run.optimizer.steps, run.total_steps, run.loss_sum / run.seen,
    100 * run.correct / run.seen, run.rate, noun(run),
    progress.duration(run.seconds / done * (1 - done)))
end

-- Sets on_step and on_epoch of train.lua's arguments; returns the progress that they write to, which is to be cleared
-- when the training has ended. log(run): called after each epoch.
function M.watch(o, log)
  local status = progress.new()
  o.on_step = function(run) status:show(function() return status_of(run) end) end
  o.on_epoch = function(row, run)
    status:clear()
    status:line(line_of(row, run, o.watch == o.test and 'test' or 'validation'))
    if log then log(run) end
  end
  return status
end

return M
