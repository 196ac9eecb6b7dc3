-- One request of one caller: the theoretical arrival time of the next (GCRA, ITU-T I.371), in microseconds.
-- KEYS[1] the caller · ARGV: time (-1: the server's), interval between requests, burst in requests
-- → {allowed, remaining, retry after, reset after}
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local interval, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
local window = interval * burst
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
-- Never before now; and never further away than a burst, which only a clock that was set back makes of it.
arrival = math.min(math.max(arrival, now), now + window)
local next = arrival + interval
if next > now + window then
  return {0, 0, next - window - now, arrival - now}
end
-- Forgotten a minute after it says nothing any more: servers' clocks differ, and nothing depends on when.
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000) + 60000)
return {1, math.floor((now + window - next) / interval), 0, next - now}
