-- Failed sign-ins of one address or account, in microseconds.
-- KEYS[1] whose · ARGV: what to do (attempt, forgive, clear), time (-1: the server's), free attempts, first penalty, longest
-- penalty, how long failures are remembered → how long the caller has to wait; 0: go on
if ARGV[1] == 'clear' then
  redis.call('DEL', KEYS[1])
  return 0
end
if ARGV[1] == 'forgive' then
  if tonumber(redis.call('HGET', KEYS[1], 'failures') or 0) > 0 then
    redis.call('HINCRBY', KEYS[1], 'failures', -1)
    redis.call('HDEL', KEYS[1], 'ends')
  end
  return 0
end
local now = tonumber(ARGV[2])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local ends = tonumber(redis.call('HGET', KEYS[1], 'ends') or 0)
if ends > now then
  return ends - now
end
-- An attempt counts as failed until it has succeeded, so that many at once cannot all pass.
local over = redis.call('HINCRBY', KEYS[1], 'failures', 1) - tonumber(ARGV[3])
if over > 0 then
  local penalty = math.min(tonumber(ARGV[4]) * 2 ^ math.min(over - 1, 40), tonumber(ARGV[5]))
  redis.call('HSET', KEYS[1], 'ends', string.format('%.0f', now + penalty))
end
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[6]) / 1000))
return 0
