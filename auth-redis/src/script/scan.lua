-- A page of each of several ranges, all of one moment.
--
-- KEYS: records, order, index.
-- ARGV, for each range: the set it lies in ('order' or 'index'), 'up' or 'down', its lower and its upper
-- bound, how many entries to leave out, how many to take at most, what is wanted ('records', 'keys' or
-- 'count'), and where in a member of the set the search for its key begins.
-- Answers for each range { count }, or { whether there are more, members } and the records in their order.

local records, order, index = unpack(KEYS)
local sets = { order = order, index = index }

-- A member of the index is two escaped texts, each ended by 00 01, and the key.
local function key_of(member, from)
  if from == 0 then return member end
  local _, ends = string.find(member, '\0\1', from, true)
  return string.sub(member, ends + 1)
end

local answer = {}
for at = 1, #ARGV, 8 do
  local set, down = sets[ARGV[at]], ARGV[at + 1] == 'down'
  local low, high = ARGV[at + 2], ARGV[at + 3]
  local skip, limit, want = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6]
  local total = nil
  if want == 'count' or skip > 0 then
    total = math.max(redis.call('ZLEXCOUNT', set, low, high) - skip, 0)
  end
  local page
  if want == 'count' then
    page = { math.min(total, limit) }
  elseif total == 0 then
    page = { 0, {}, {} }
  else
    local members
    if down then
      members = redis.call('ZREVRANGEBYLEX', set, high, low, 'LIMIT', skip, limit + 1)
    else
      members = redis.call('ZRANGEBYLEX', set, low, high, 'LIMIT', skip, limit + 1)
    end
    local more = 0
    if #members > limit then
      members[#members] = nil
      more = 1
    end
    local found = {}
    if want == 'records' and #members > 0 then
      local keys = {}
      for i, member in ipairs(members) do keys[i] = key_of(member, tonumber(ARGV[at + 7])) end
      found = redis.call('HMGET', records, unpack(keys))
    end
    page = { more, members, found }
  end
  answer[#answer + 1] = page
end
return answer
