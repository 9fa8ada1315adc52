-- Begins every script that writes: how a record is packed, and how one is put in the place of another.
--
--    1        format, always '1'
--    2 .. 17  version
--   18 .. 25  keep_until in milliseconds, big-endian; eight bytes FF: for ever
--   26        queue: 'o' outbox, 'j' jobs, '-' none
--   27 .. 34  due at, in milliseconds
--   35 .. 36  shard
--   37 .. 40  number of index entries; then each as its length (4 bytes) and its stem
--    ...      value
--
-- A stem is an index entry without its key: the entry stands in the index as stem .. key.

local records, order, index, kept, outbox, jobs, mark = unpack(KEYS)
local queues = { o = outbox, j = jobs }
local FOR_EVER = string.rep('\255', 8)

-- A key of another program under one of our names is found here, before the first write.
local function look_at_types()
  for _, set in ipairs({ order, index, kept, outbox, jobs }) do redis.call('ZCARD', set) end
end

local function version_of(packed) return string.sub(packed, 2, 17) end

local function keep_until_of(packed) return (struct.unpack('>I8', packed, 18)) end

local function value_of(packed)
  local count = struct.unpack('>I4', packed, 37)
  local at = 41
  for _ = 1, count do at = at + 4 + struct.unpack('>I4', packed, at) end
  return string.sub(packed, at)
end

-- The list of stems, and the same as a set.
local function stems_of(packed)
  local list, set = {}, {}
  if packed then
    local count = struct.unpack('>I4', packed, 37)
    local at = 41
    for i = 1, count do
      local length = struct.unpack('>I4', packed, at)
      list[i] = string.sub(packed, at + 4, at + 3 + length)
      set[list[i]] = true
      at = at + 4 + length
    end
  end
  return list, set
end

-- The queue of a record, its member there, and its score. The member begins with the shard.
local function due_of(packed, key)
  if not packed then return nil end
  local queue = queues[string.sub(packed, 26, 26)]
  if not queue then return nil end
  return queue, string.sub(packed, 35, 36) .. key, struct.unpack('>I8', packed, 27)
end

-- Puts `new` in the place of `old`; false stands for none. Nothing here can fail.
local function replace(key, old, new)
  local had_list, had = stems_of(old)
  local has_list, has = stems_of(new)
  for _, stem in ipairs(had_list) do
    if not has[stem] then redis.call('ZREM', index, stem .. key) end
  end
  for _, stem in ipairs(has_list) do
    if not had[stem] then redis.call('ZADD', index, 0, stem .. key) end
  end

  local was_in, was_member = due_of(old, key)
  local is_in, member, at = due_of(new, key)
  if was_in and (was_in ~= is_in or was_member ~= member) then
    redis.call('ZREM', was_in, was_member)
  end
  if is_in then redis.call('ZADD', is_in, string.format('%.0f', at), member) end

  if new and string.sub(new, 18, 25) ~= FOR_EVER then
    redis.call('ZADD', kept, string.format('%.0f', keep_until_of(new)), key)
  elseif old and string.sub(old, 18, 25) ~= FOR_EVER then
    redis.call('ZREM', kept, key)
  end

  if new then
    redis.call('HSET', records, key, new)
    if not old then redis.call('ZADD', order, 0, key) end
  else
    redis.call('HDEL', records, key)
    redis.call('ZREM', order, key)
  end
end
