-- ARGV[3]: microseconds of lease, 20 digits. ARGV[4]: milliseconds that the row is kept. ARGV[5]: the lease's rank.
if left <= 0 or rank ~= ARGV[5] or sub(row, 73) ~= ARGV[2] then
  return '0' .. high .. high .. '0'
end
if tonumber(ARGV[3]) <= left then
  return '1' .. rank .. high .. string.format('%.0f', left)
end
call('SETRANGE', KEYS[1], 32, now .. ARGV[3])
if call('PTTL', KEYS[1]) >= 0 then
  call('PEXPIRE', KEYS[1], ARGV[4])
end
return '1' .. rank .. high .. ARGV[3]
