-- Applies a batch, whole or not at all: everything is checked before the first write.
--
-- ARGV: whether the tenant is registered by now ('1') or not known to be ('0'), the commit's id, its now,
-- the number of writes, then for each of them
--   'P' key when packed                  put
--   'D' key when                         delete
--   'C' key when                         check
--   'A' key n below keep_until           add; below is '' for none, keep_until eight bytes
-- where when is '*' any, '-' absent, '+' present, or '=' and a version.
--
-- Answers { 'applied', sum, ... }, { 'replayed' }, { 'unregistered' }, { 'conflict', i, ... },
-- { 'full', i } or { 'no counter', i }; i counts the writes from 1.

local place = 0
local function take()
  place = place + 1
  return ARGV[place]
end

local registered, id, now, count = take() == '1', take(), tonumber(take()), tonumber(take())
local writes, keys = {}, {}
for i = 1, count do
  local write = { op = take(), key = take() }
  if write.op == 'A' then
    write.n, write.below, write.keep_until = take(), take(), take()
  else
    write.when = take()
    if write.op == 'P' then write.packed = take() end
  end
  writes[i], keys[i] = write, write.key
end

-- A counter has 64 bits and a number of Lua 53: it is counted as two halves of ten digits.
local HALF = 10000000000
local MOST = { 1844674407, 3709551615 }

local function halves(text)
  return { tonumber(string.sub(text, 1, -11)) or 0, tonumber(string.sub(text, -10)) }
end

local function exceeds(a, b) return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2]) end

local function sum_of(a, b)
  local high, low = a[1] + b[1], a[2] + b[2]
  if low >= HALF then high, low = high + 1, low - HALF end
  local sum = { high, low }
  if exceeds(sum, MOST) then return MOST end
  return sum
end

local function text_of(a)
  if a[1] > 0 then return string.format('%.0f%010.0f', a[1], a[2]) end
  return string.format('%.0f', a[2])
end

-- The halves of a value that is a number of 64 bits, or nil.
local function counter(value)
  if not string.find(value, '^%d+$') then return nil end
  local digits = string.gsub(value, '^0+', '')
  if #digits > 20 then return nil end
  if #digits == 0 then digits = '0' end
  local number = halves(digits)
  if exceeds(number, MOST) then return nil end
  return number
end

if not registered and redis.call('EXISTS', mark) == 0 then return { 'unregistered' } end
look_at_types()
local stored = redis.call('HMGET', records, unpack(keys))

for i = 1, count do
  if stored[i] and version_of(stored[i]) == id then return { 'replayed' } end
end

local function live(i) return stored[i] and keep_until_of(stored[i]) > now end

local function holds(i, when)
  local sort = string.sub(when, 1, 1)
  if sort == '*' then return true end
  if sort == '-' then return not live(i) end
  if sort == '+' then return live(i) end
  return live(i) and version_of(stored[i]) == string.sub(when, 2)
end

local failed = { 'conflict' }
for i, write in ipairs(writes) do
  if write.when and not holds(i, write.when) then failed[#failed + 1] = i end
end
if #failed > 1 then return failed end

for i, write in ipairs(writes) do
  if write.op == 'A' then
    local number = { 0, 0 }
    if live(i) then
      number = counter(value_of(stored[i]))
      if not number then return { 'no counter', i } end
    end
    write.sum = sum_of(number, halves(write.n))
    if write.below ~= '' and exceeds(write.sum, halves(write.below)) then return { 'full', i } end
  end
end

if registered then redis.call('SET', mark, '1') end
local answer = { 'applied' }
for i, write in ipairs(writes) do
  if write.op == 'P' then
    replace(write.key, stored[i], write.packed)
  elseif write.op == 'D' then
    replace(write.key, stored[i], false)
  elseif write.op == 'A' then
    local keep_until = write.keep_until
    -- A window that runs keeps its end; what was put to be kept for ever has none yet.
    if live(i) and string.sub(stored[i], 18, 25) ~= FOR_EVER then
      keep_until = string.sub(stored[i], 18, 25)
    end
    local sum = text_of(write.sum)
    local packed = '1' .. id .. keep_until .. '-' .. string.rep('\0', 14) .. sum
    replace(write.key, stored[i], packed)
    answer[#answer + 1] = sum
  end
end
return answer
