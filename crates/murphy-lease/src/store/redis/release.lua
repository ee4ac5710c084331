if left <= 0 or sub(row, 73) ~= ARGV[2] then
  return '0' .. high .. high .. '0'
end
call('SETRANGE', KEYS[1], 31, '-')
return '1' .. rank .. high .. '0'
