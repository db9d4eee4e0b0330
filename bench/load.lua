-- wrk's side of a load: every capture has its own capture_id and transaction, and belongs to one of `people` addresses.
--
--   wrk … -s load.lua URL -- TEMPLATE-FILE CAPTURES-A-REQUEST PEOPLE UUID-PREFIX

local parts, captures_a_request, people, prefix
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
  captures_a_request, people, prefix = tonumber(args[2]), tonumber(args[3]), args[4]
  math.randomseed(tonumber(prefix:sub(1, 8), 16))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

local function capture()
  counter = counter + 1
  local time = string.format("%012x", os.time() * 1000)
  local values = {
    -- A UUID that begins with its time, and then a counter (RFC 9562, version 7), in order, as the script's ids are. The
    -- rest is another for each: an id that looks a little like a card number takes longer, and is to be as rare as it is.
    ID = string.format("%s-%s-7%03x-8%03x-%s%08x", time:sub(1, 8), time:sub(9), math.floor(counter / 2) % 4096,
                       math.random(0, 4095), prefix:sub(1, 4), counter),
    -- Random from its first digit on, as most processors' are.
    TRANSACTION = string.format("%04x%04x%08x", math.random(0, 65535), math.random(0, 65535), counter),
    PERSON = tostring(counter * 7919 % people),
    TIME = os.date("!%Y-%m-%dT%H:%M:%S.000Z"),
  }
  local texts = {}
  for place, part in ipairs(parts) do
    texts[place] = place % 2 == 0 and values[part] or part
  end
  return table.concat(texts)
end

function request()
  if captures_a_request == 1 then
    return wrk.format(nil, nil, nil, capture())
  end
  local captures = {}
  for place = 1, captures_a_request do captures[place] = capture() end
  return wrk.format(nil, nil, nil, '{"captures":[' .. table.concat(captures, ",") .. "]}")
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers": %d, "refusals": %d, "failures": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
