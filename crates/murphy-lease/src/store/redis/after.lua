-- The rank after this one, or nil after the last.
local function after(rank)
  if rank == '4294967295.18446744073709551615' then return nil end
  local full = string.sub(rank, 12) == '18446744073709551615'
  local digits = full and string.sub(rank, 1, 10) or rank
  local nines = string.match(digits, '9*$')
  local head = string.sub(digits, 1, #digits - #nines)
  local last = tonumber(string.sub(head, -1))
  digits = string.sub(head, 1, -2) .. (last + 1) .. string.rep('0', #nines)
  return full and digits .. '.00000000000000000001' or digits
end
