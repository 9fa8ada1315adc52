-- Writes records from an archive where nothing stands.
--
-- ARGV: whether the tenant is registered by now, then for each record its key and the record packed.
-- Answers { 'restored', written, kept } or { 'unregistered' }.

if ARGV[1] == '0' and redis.call('EXISTS', mark) == 0 then return { 'unregistered' } end
look_at_types()
redis.call('HLEN', records)

if ARGV[1] == '1' then redis.call('SET', mark, '1') end
local written, found = 0, 0
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', records, ARGV[i]) == 1 then
    found = found + 1
  else
    replace(ARGV[i], false, ARGV[i + 1])
    written = written + 1
  end
end
return { 'restored', written, found }
