-- The row of one lock is one text: its rank (31 characters), '+' while it is held or '-', when it was granted and for how
-- long (microseconds of the server's clock, 20 digits each), and its holder's nonce. All of one width, so that ranks
-- and times compare as numbers do, beyond 2^53 too, and none has to be written anew.
-- What is no such text is refused, or fails at the arithmetic.
-- ARGV[1]: below which no rank is granted, by the store's era. ARGV[2]: the caller's nonce.
-- Every answer is a code, a rank, the highest rank granted, and microseconds.
local call, sub = redis.call, string.sub
local clock = call('TIME')
local now = sub('0000000000000' .. clock[1] .. sub('00000' .. clock[2], -6), -20)
local row = call('GET', KEYS[1])
local rank, left = ARGV[1], 0
if row then
  rank = sub(row, 1, 31)
  local flag = sub(row, 32, 32)
  if flag == '+' then
    local granted, length = sub(row, 33, 52), sub(row, 53, 72)
    left = granted - now + length
    if left > 0 and granted > now then
      -- The clock was set back: a lease runs for its own length from now on, not until the clock is there again.
      call('SETRANGE', KEYS[1], 32, now)
      left = tonumber(length)
    end
  elseif flag ~= '-' or not tonumber(sub(row, 33, 72)) then
    error('not the row of a lock')
  end
end
local high = rank < ARGV[1] and ARGV[1] or rank
