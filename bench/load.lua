-- Send load with wrk: every capture has its own capture_id and transaction, and belongs to one of
-- `users` addresses. client.py does the same where wrk is missing.
--
--   wrk … -s load.lua URL -- TEMPLATE-FILE CAPTURES-PER-REQUEST USERS UUID-PREFIX

local parts, captures_per_request, users, prefix
local counter = 0

local function split(template)
  local found, from = {}, 1
  while true do
    local first, last, name = template:find("@(%u+)@", from)
    if not first then break end
    found[#found + 1] = template:sub(from, first - 1)
    found[#found + 1] = name
    from = last + 1
  end
  found[#found + 1] = template:sub(from)
  return found
end

function init(args)
  local file = assert(io.open(args[1]))
  parts = split(file:read("*a"))
  file:close()
  captures_per_request, users, prefix = tonumber(args[2]), tonumber(args[3]), args[4]
  math.randomseed(tonumber(prefix:sub(1, 8), 16))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

local function capture()
  counter = counter + 1
  local time = string.format("%012x", os.time() * 1000)
  local values = {
    -- A UUID of version 7 (RFC 9562): its time, then a counter, like the script's ids. The other
    -- digits are random. The service takes longer over an id that resembles a card number, so such
    -- ids have to be as rare here as the script's.
    ID = string.format("%s-%s-7%03x-8%03x-%s%08x", time:sub(1, 8), time:sub(9),
                       math.floor(counter / 2) % 4096, math.random(0, 4095), prefix:sub(1, 4),
                       counter),
    -- Random from the first digit on, as the ids of most payment processors are.
    TRANSACTION = string.format("%04x%04x%08x", math.random(0, 65535), math.random(0, 65535),
                                counter),
    USER = tostring(counter * 7919 % users),
    TIME = os.date("!%Y-%m-%dT%H:%M:%S.000Z"),
  }
  local texts = {}
  for place, part in ipairs(parts) do
    texts[place] = place % 2 == 0 and values[part] or part
  end
  return table.concat(texts)
end

function request()
  if captures_per_request == 1 then
    return wrk.format(nil, nil, nil, capture())
  end
  local captures = {}
  for place = 1, captures_per_request do captures[place] = capture() end
  return wrk.format(nil, nil, nil, '{"captures":[' .. table.concat(captures, ",") .. "]}")
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"responses": %d, "errors": %d, "failures": %d, "seconds": %.6f, ' ..
      '"p50_ms": %.4f, "p99_ms": %.4f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
