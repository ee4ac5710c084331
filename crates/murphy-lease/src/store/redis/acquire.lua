-- ARGV[3]: microseconds of lease, 20 digits. ARGV[4]: milliseconds that the row is kept. ARGV[5]: above or exactly.
-- ARGV[6]: that rank.
if left > 0 then
  local code = sub(row, 73) == ARGV[2] and '1' or '0'
  return code .. rank .. high .. string.format('%.0f', left)
end
local by_clock, era = false, nil
if ARGV[5] == 'exactly' then
  rank = ARGV[6]
  if rank <= high then return '2' .. high .. high .. '0' end
else
  local base = ARGV[6] > high and ARGV[6] or high
  era = sub(base, 1, 11)
  rank = era .. now
  by_clock = rank > base
  if not by_clock then
    -- The rank after this one: there is none after the last.
    if base == '4294967295.18446744073709551615' then return '2' .. high .. high .. '0' end
    local full = sub(base, 12) == '18446744073709551615'
    local digits = full and sub(base, 1, 10) or base
    local nines = string.match(digits, '9*$')
    local head = sub(digits, 1, #digits - #nines)
    digits = sub(head, 1, -2) .. (sub(head, -1) + 1) .. string.rep('0', #nines)
    rank = full and digits .. '.00000000000000000001' or digits
  end
end
local held = rank .. '+' .. now .. ARGV[3] .. ARGV[2]
-- A row that the clock has passed can be forgotten: what is granted after it is higher all the same. One of a later era
-- than the store's cannot.
if by_clock and era == sub(ARGV[1], 1, 11) then
  call('SET', KEYS[1], held, 'PX', ARGV[4])
else
  call('SET', KEYS[1], held)
end
return '1' .. rank .. rank .. ARGV[3]
