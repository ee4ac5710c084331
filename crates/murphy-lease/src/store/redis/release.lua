if left <= 0 or nonce ~= ARGV[2] then
  return { 0, high, 0, high }
end
redis.call('HSET', KEYS[1], 'nonce', '', 'until', '0')
return { 1, rank, 0, high }
