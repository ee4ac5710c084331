-- The row of one lock: a hash of rank, nonce (empty: nobody holds it) and until (microseconds of the server's clock).
-- Ranks are text of one width, so that they compare as numbers do, beyond 2^53 too.
-- ARGV[1]: below which no rank is granted, by the store's era. ARGV[2]: the caller's nonce.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local row = redis.call('HMGET', KEYS[1], 'rank', 'nonce', 'until')
local rank, nonce = row[1] or ARGV[1], row[2] or ''
local high = rank < ARGV[1] and ARGV[1] or rank
local left = nonce == '' and 0 or tonumber(row[3]) - now
