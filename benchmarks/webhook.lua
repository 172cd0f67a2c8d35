-- Sends the same signed body again and again, each time as another delivery.
-- Arguments: file with the body, signature, a prefix that no other run has.
local number = 0
local thread_number = 0

function setup(thread)
  thread:set("number_of_thread", thread_number)
  thread_number = thread_number + 1
end

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  body = file:read("*a")
  file:close()
  signature = arguments[2]
  prefix = arguments[3]
end

function request()
  number = number + 1
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["X-Hub-Signature"] = signature,
    ["X-Atlassian-Webhook-Identifier"] = prefix .. "-" .. number_of_thread .. "-" .. number,
  }, body)
end

function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, bad + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
