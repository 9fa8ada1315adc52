-- Removes up to `limit` records of one tenant.
--
-- ARGV: limit, then 'until' and a time, or 'range' and the two bounds of keys.
-- Answers { removed, whether there are more }.

look_at_types()
local limit = tonumber(ARGV[1])
local doomed
if ARGV[2] == 'until' then
  doomed = redis.call('ZRANGEBYSCORE', kept, '-inf', ARGV[3], 'LIMIT', 0, limit + 1)
else
  doomed = redis.call('ZRANGEBYLEX', order, ARGV[3], ARGV[4], 'LIMIT', 0, limit + 1)
end

local more = 0
if #doomed > limit then
  doomed[#doomed] = nil
  more = 1
end
if #doomed > 0 then
  local stored = redis.call('HMGET', records, unpack(doomed))
  for i, key in ipairs(doomed) do replace(key, stored[i], false) end
end
return { #doomed, more }
