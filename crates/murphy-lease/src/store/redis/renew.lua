-- ARGV[3]: microseconds of lease. ARGV[4]: milliseconds that the row outlives it. ARGV[5]: the lease's rank.
if left <= 0 or nonce ~= ARGV[2] or rank ~= ARGV[5] then
  return { 0, high, 0, high }
end
local ttl = tonumber(ARGV[3])
if ttl > left then
  left = ttl
  redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ttl))
end
if redis.call('PTTL', KEYS[1]) >= 0 then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[4]) + math.ceil(left / 1000)))
end
return { 1, rank, left, high }
