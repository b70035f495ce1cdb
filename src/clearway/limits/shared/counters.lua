-- The counters of all gateways on one Valkey: one batch of one gateway, all of it or nothing.
--
-- Owns every decision: nobody else writes these keys. Batches of a gateway are numbered, so that
-- one that is sent again, because its answer was lost, is not counted twice. What each gateway has
-- added stands beside every sum (`billed|<gateway>`): it can be put right when that one is gone, or
-- when the server has lost what it knew. Times are this server's.
--
-- KEYS: 1 gateways and when they were heard, 2 the sender's number and last answer, 3 the keys that
-- the sender has a part in, 4 the right to load, and what the batch names by place.
-- ARGV: sender, number, operations (JSON). Answers JSON. Amounts are strings of digits: numbers of
-- Lua are exact up to 2^53 only, and are used to decide, never to add.

local me, number, ops = ARGV[1], tonumber(ARGV[2]), cjson.decode(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local SUMS = {'billed', 'estimates', 'tokens', 'held_nano', 'held_tokens'}
local SPENT = 3
local NO_END = 2 ^ 50
local MINUTE = 60000000
local RATES_KEPT = 86400000
local LOADING = 10000
local KEPT = 3024000000

local last = redis.call('HGET', KEYS[2], 'number')
if last then
  if number == tonumber(last) then
    return redis.call('HGET', KEYS[2], 'answer')
  elseif number < tonumber(last) then
    return '{"is":"old"}'
  end
elseif ops[1][1] ~= 'hello' then
  return '{"is":"unknown"}'
end

local function put(key, field, who, amount)
  local part = field .. '|' .. who
  local before = redis.call('HGET', key, part) or '0'
  if before == amount then
    return
  end
  if before ~= '0' then
    local minus = string.sub(before, 1, 1) == '-' and string.sub(before, 2) or '-' .. before
    redis.call('HINCRBY', key, field, minus)
  end
  redis.call('HINCRBY', key, field, amount)
  redis.call('HSET', key, part, amount)
end

local function make(key, until_ms)
  if redis.call('HSETNX', key, 'made', string.format('%.0f', now)) == 1 and until_ms > 0 then
    redis.call('PEXPIREAT', key, string.format('%.0f', until_ms))
  end
end

-- Rates: buckets that fill all the time, as limits/bucket.py has them.

local function level(key, name, per_minute)
  local found = redis.call('HMGET', key, name .. ':level', name .. ':at', name .. ':per_minute')
  if not found[1] then
    return per_minute
  end
  local was = tonumber(found[3])
  local passed = math.max(0, now - tonumber(found[2]))
  local there = math.min(was, tonumber(found[1]) + passed * was / MINUTE)
  -- Another limit: what was used stays used.
  return there + per_minute - was
end

local function keep(key, name, per_minute, amount)
  redis.call('HSET', key, name .. ':level', string.format('%.6f', math.min(amount, per_minute)),
    name .. ':at', string.format('%.0f', now), name .. ':per_minute', per_minute)
  redis.call('PEXPIRE', key, RATES_KEPT)
end

local function may_take(there, amount, per_minute)
  return there >= amount or (amount > per_minute and there >= per_minute)
end

-- In seconds: how long to wait for it.
local function wait_s(there, amount, per_minute)
  return math.max(1, math.ceil((math.min(amount, per_minute) - there) * 60 / per_minute))
end

-- Takes it and returns nothing, or returns how long to wait for it.
local function try_take(key, name, per_minute, amount)
  local there = level(key, name, per_minute)
  if not may_take(there, amount, per_minute) then
    return wait_s(there, amount, per_minute)
  end
  keep(key, name, per_minute, there - amount)
end

local function levels(key, limits)
  local told = {}
  for place, name in ipairs({'requests', 'input-tokens', 'output-tokens'}) do
    told[place] = limits[place] > 0 and level(key, name, limits[place]) or 0
  end
  return told
end

-- Budgets.

local function sums(key)
  local found = redis.call('HMGET', key, 'ready', 'in|' .. me, unpack(SUMS))
  local told = {}
  for place = 1, #SUMS do
    told[place] = found[place + 2] or '0'
  end
  return told, found[1], found[2]
end

local function all_sums(places)
  local told, lacking, unready = {}, {}, false
  for place, tally in ipairs(places) do
    local ready, mine
    told[place], ready, mine = sums(KEYS[tally[1]])
    if not mine then
      lacking[#lacking + 1] = place
    end
    unready = unready or not ready
  end
  if #lacking > 0 then
    return nil, {'own', lacking}
  elseif unready then
    local free = redis.call('SET', KEYS[4], me, 'NX', 'PX', LOADING)
    return nil, {'load', free and true or false}
  end
  return told
end

local function spent_and_held(share, told)
  local of = told[share[1]]
  if share[2] == 1 then
    local spent = tonumber(of[1]) + (share[3] == 1 and tonumber(of[2]) or 0)
    return spent, tonumber(of[4])
  end
  return tonumber(of[3]), tonumber(of[5])
end

local function within(share, room, wanted, with_prompt)
  if share[2] == 0 then
    return room - (with_prompt and wanted.prompt or 0)
  elseif not wanted.priced then
    return NO_END
  end
  local left = room - (with_prompt and wanted.prompt_nano or 0)
  if left < 0 then
    return -1
  end
  return wanted.output_nano > 0 and math.floor(left / wanted.output_nano) or NO_END
end

local function hold(places, told, nano, tokens)
  for place, tally in ipairs(places) do
    local key = KEYS[tally[1]]
    for offset, amount in ipairs({nano, tokens}) do
      local text = string.format('%.0f', amount)
      redis.call('HINCRBY', key, SUMS[SPENT + offset] .. '|' .. me, text)
      told[place][SPENT + offset] = string.format('%.0f', redis.call('HINCRBY', key, SUMS[SPENT + offset], text))
    end
  end
end

local does = {}

function does.hello()
  for _, key in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    if redis.call('HEXISTS', key, 'made') == 1 then
      put(key, 'held_nano', me, '0')
      put(key, 'held_tokens', me, '0')
    elseif redis.call('EXISTS', key) == 1 then
      put(key, 'running', me, '0')
    end
  end
  return true
end

function does.beat()
  return true
end

-- All that the sender has in a tally.
function does.own(op)
  local key = KEYS[op[2]]
  make(key, op[3])
  for place, field in ipairs(SUMS) do
    put(key, field, me, op[3 + place])
  end
  redis.call('HSET', key, 'in|' .. me, 1)
  redis.call('SADD', KEYS[3], key)
  local told = sums(key)
  return told
end

-- What is held by something that is no gateway.
function does.named(op)
  local key, who = KEYS[op[2]], op[4]
  make(key, op[3])
  put(key, 'held_nano', who, op[5])
  put(key, 'held_tokens', who, op[6])
  if op[6] == '0' then
    redis.call('HDEL', key, 'held_nano|' .. who, 'held_tokens|' .. who)
  end
  return true
end

function does.reserve(op)
  local shares, places, wanted, rates = op[2], op[3], op[4], op[5]
  local told, why = all_sums(places)
  if not told then
    return why
  end
  local fits = wanted.most
  for place, share in ipairs(shares) do
    local spent, held = spent_and_held(share, told)
    local unspent = tonumber(share[4]) - spent
    local fitting = within(share, unspent - held, wanted, true)
    if fitting < wanted.most then
      local alone = within(share, unspent, wanted, true)
      if alone < wanted.least then
        return {'spent', place, told}
      elseif alone > fitting then
        return {'held', place, told}
      end
      fits = math.min(fits, fitting)
    end
  end
  local left = false
  if rates then
    local key, limits, first = KEYS[rates[1]], rates[2], math.min(rates[3], fits)
    local prompt, output = limits[2], limits[3]
    local output_there
    if output > 0 then
      output_there = level(key, 'output-tokens', output)
      if not may_take(output_there, 1, output) then
        return {'rate', 'output-tokens', wait_s(output_there, 1, output), levels(key, limits), told}
      end
    end
    if prompt > 0 then
      local wait = try_take(key, 'input-tokens', prompt, wanted.prompt)
      if wait then
        return {'rate', 'input-tokens', wait, levels(key, limits), told}
      end
    end
    if output > 0 then
      keep(key, 'output-tokens', output, output_there - first)
    end
    left = levels(key, limits)
  end
  local nano = wanted.priced and wanted.prompt_nano + fits * wanted.output_nano or 0
  hold(places, told, nano, wanted.prompt + fits)
  return {'ok', fits, told, left}
end

function does.top_up(op)
  local shares, places, wanted = op[2], op[3], op[4]
  local told, why = all_sums(places)
  if not told then
    return why
  end
  local more = wanted.most
  for _, share in ipairs(shares) do
    local spent, held = spent_and_held(share, told)
    more = math.min(more, within(share, tonumber(share[4]) - spent - held, wanted, false))
  end
  if more <= 0 then
    return {'spent', 0, told}
  end
  hold(places, told, wanted.priced and more * wanted.output_nano or 0, more)
  return {'ok', more, told, false}
end

function does.enter(op)
  local key, most, limits = KEYS[op[2]], op[3], op[4]
  local running = tonumber(redis.call('HGET', key, 'running') or '0')
  if most > 0 and running >= most then
    return {'parallel'}
  end
  if limits[1] > 0 then
    local wait = try_take(key, 'requests', limits[1], 1)
    if wait then
      return {'rate', 'requests', wait, levels(key, limits)}
    end
  end
  redis.call('HINCRBY', key, 'running', 1)
  redis.call('HINCRBY', key, 'running|' .. me, 1)
  redis.call('PEXPIRE', key, RATES_KEPT)
  redis.call('SADD', KEYS[3], key)
  return {'ok', levels(key, limits)}
end

-- All that the sender has running for a key.
function does.running(op)
  local key = KEYS[op[2]]
  put(key, 'running', me, op[3])
  redis.call('PEXPIRE', key, RATES_KEPT)
  redis.call('SADD', KEYS[3], key)
  return true
end

function does.count(op)
  local wait = try_take(KEYS[op[2]], 'count-tokens', op[3], 1)
  if wait then
    return {'rate', 'count-tokens', wait}
  end
  return {'ok'}
end

-- What was really used of the tokens per minute, beside what was taken for it.
function does.take(op)
  local key = KEYS[op[2]]
  for place, name in ipairs({'input-tokens', 'output-tokens'}) do
    local per_minute, amount = op[4 + place], op[2 + place]
    if per_minute > 0 and amount ~= 0 then
      keep(key, name, per_minute, level(key, name, per_minute) - amount)
    end
  end
  return true
end

function does.look(op)
  local told = sums(KEYS[op[2]])
  return told
end

function does.gone(op)
  redis.call('SREM', KEYS[3], KEYS[op[2]])
  return true
end

function does.members()
  return redis.call('HGETALL', KEYS[1])
end

function does.touched(op)
  return redis.call('SMEMBERS', KEYS[op[2]])
end

-- What the ledger knows of a tally: by gateways that have said nothing of it themselves.
function does.loaded(op)
  local key = KEYS[op[2]]
  make(key, op[3])
  if redis.call('HSETNX', key, 'ready', 1) == 0 then
    return true
  end
  for _, part in ipairs(op[4]) do
    local who, touched = part[1], part[5]
    if redis.call('HEXISTS', key, 'in|' .. who) == 0 then
      for place = 1, SPENT do
        put(key, SUMS[place], who, part[1 + place])
      end
      if touched > 0 then
        redis.call('SADD', KEYS[touched], key)
        redis.call('HSETNX', KEYS[1], who, 0)
      end
    end
  end
  return true
end

function does.unlock()
  if redis.call('GET', KEYS[4]) == me then
    redis.call('DEL', KEYS[4])
  end
  return true
end

-- A gateway is gone: what it has spent is what the ledger says, and it holds nothing.
function does.fold(op)
  local key, gone = KEYS[op[2]], op[3]
  if redis.call('HEXISTS', key, 'made') == 1 then
    for place, field in ipairs(SUMS) do
      put(key, field, gone, op[3 + place])
    end
    redis.call('HDEL', key, 'in|' .. gone, 'held_nano|' .. gone, 'held_tokens|' .. gone)
  elseif redis.call('EXISTS', key) == 1 then
    put(key, 'running', gone, '0')
    redis.call('HDEL', key, 'running|' .. gone)
  end
  return true
end

function does.forget(op)
  redis.call('DEL', KEYS[op[2]], KEYS[op[3]])
  redis.call('HDEL', KEYS[1], op[4])
  return true
end

local answers = {}
for place, op in ipairs(ops) do
  answers[place] = does[op[1]](op)
end
local answer = cjson.encode({is = 'done', of = answers})
if redis.call('HGET', KEYS[1], me) or ops[1][1] == 'hello' then
  redis.call('HSET', KEYS[1], me, string.format('%.0f', now))
  redis.call('HSET', KEYS[2], 'number', ARGV[2], 'answer', answer)
  redis.call('PEXPIRE', KEYS[2], KEPT)
  redis.call('PEXPIRE', KEYS[3], KEPT)
end
return answer
