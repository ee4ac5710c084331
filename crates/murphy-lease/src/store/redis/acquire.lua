-- ARGV[3]: microseconds of lease. ARGV[4]: milliseconds that the row outlives it. ARGV[5]: above or exactly.
-- ARGV[6]: that rank.
if left > 0 then
  return { nonce == ARGV[2] and 1 or 0, rank, left, high }
end
local ttl, keep = tonumber(ARGV[3]), tonumber(ARGV[4])
local by_clock = false
if ARGV[5] == 'exactly' then
  rank = ARGV[6]
  if rank <= high then return { 2, high, 0, high } end
else
  local base = ARGV[6] > high and ARGV[6] or high
  rank = after(base)
  if not rank then return { 2, high, 0, high } end
  local clocked = string.sub(rank, 1, 11) .. string.format('%020.0f', now)
  by_clock = clocked >= rank
  if by_clock then rank = clocked end
end
redis.call('HSET', KEYS[1], 'rank', rank, 'nonce', ARGV[2], 'until', string.format('%.0f', now + ttl))
-- A row that the clock has passed can be forgotten: what is granted after it is higher all the same.
if by_clock then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keep + math.ceil(ttl / 1000)))
else
  redis.call('PERSIST', KEYS[1])
end
return { 1, rank, ttl, rank }
