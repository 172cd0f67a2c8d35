-- Sends each line of a file once: id, time and signature of an event, then its body, parted by tabs.
-- Arguments: the file. What is sent after the last line is the last line again, a duplicate, until it is stopped.
local lines = {}
local sent = -1 -- wrk asks for one request that it does not send

function init(arguments)
  for line in io.lines(arguments[1]) do
    lines[#lines + 1] = line
  end
end

function request()
  sent = math.min(sent + 1, #lines)
  local id, time, signature, body = lines[math.max(sent, 1)]:match("^(.-)\t(.-)\t(.-)\t(.*)$")
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["webhook-id"] = id, ["webhook-timestamp"] = time, ["webhook-signature"] = signature,
  }, body)
end

function done(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, bad + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
