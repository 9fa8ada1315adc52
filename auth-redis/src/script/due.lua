-- Records of one tenant that are due, oldest first.
--
-- KEYS: records, queue. ARGV: now, first shard, the shard after the last, limit, where to go on.
-- Looks at no more than a thousand entries, so that a long queue of other shards holds nobody up.
-- Answers { where to go on, or -1 at the end, keys, records }.

local records, queue = unpack(KEYS)
local first, last, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local from, most = tonumber(ARGV[5]), 1000

local members = redis.call('ZRANGEBYSCORE', queue, '-inf', ARGV[1], 'LIMIT', from, most)
local keys, seen = {}, 0
for _, member in ipairs(members) do
  if #keys == limit then break end
  seen = seen + 1
  local shard = struct.unpack('>I2', member)
  if first <= shard and shard < last then keys[#keys + 1] = string.sub(member, 3) end
end

local found = {}
if #keys > 0 then found = redis.call('HMGET', records, unpack(keys)) end
if #members < most and seen == #members then return { -1, keys, found } end
return { from + seen, keys, found }
