-- Requests that wait while no colour can answer. Called only while hold.map does not say "off", so it costs nothing then.
--
-- hold.map holds one key: hold -> "off", or "LIMIT:TIMEOUT_MS:RELEASE_PER_S". It lies beside this file, and it is both
-- what a container of the edge comes up with and what the control socket changes.
-- A waiter polls: HAProxy 2.6 has no Lua primitive that wakes another. The more there are, the less often each looks.

local folder = debug.getinfo(1, "S").source:match("^@(.*)/")
local orders = Map.new(folder .. "/hold.map", Map._str)
local queues = {}
local rate = 500

local function clock_ms()
  local now = core.now()
  return now.sec * 1000 + math.floor(now.usec / 1000)
end

-- What is ordered now; nil: nobody has to wait.
local function terms()
  local limit, timeout_ms, per_s = (orders:lookup("hold") or "off"):match("^(%d+):(%d+):([%d.]+)$")
  if not limit then return nil end
  rate = tonumber(per_s)
  return { limit = tonumber(limit), timeout_ms = tonumber(timeout_ms) }
end

local function queue_of(port)
  local queue = queues[port]
  if not queue then
    queue = { last = 0, count = 0, seen = {}, overflowed = 0, rejected = 0 }
    queues[port] = queue
  end
  return queue
end

local function pause_ms(queue)
  return math.max(10, math.min(1000, queue.count // 10))
end

local function leave(queue, ticket)
  if queue.seen[ticket] then
    queue.seen[ticket] = nil
    queue.count = queue.count - 1
  end
end

-- HAProxy drops the coroutine of a client that went away without a word: whoever has not looked for long is gone.
local function prune(queue)
  local before = clock_ms() - 3 * pause_ms(queue) - 1000
  for ticket, at in pairs(queue.seen) do
    if at < before then leave(queue, ticket) end
  end
end

-- The release is paced from the moment when the first waiter sees it, in the order in which they came.
local function begin_release(queue)
  if queue.released_ms then return end
  prune(queue)
  queue.released_ms, queue.first = clock_ms(), queue.last
  for ticket in pairs(queue.seen) do queue.first = math.min(queue.first, ticket) end
end

-- Returns nil where the request may go on, else why it may not.
local function wait(port)
  local order, queue = terms(), queue_of(port)
  if not order then return nil end
  if queue.count >= order.limit then prune(queue) end
  if queue.count >= order.limit then
    queue.overflowed = queue.overflowed + 1
    return "too many requests wait for it already"
  end
  queue.last, queue.count = queue.last + 1, queue.count + 1
  local ticket, until_ms = queue.last, clock_ms() + order.timeout_ms
  while true do
    local now, pause = clock_ms(), nil
    queue.seen[ticket] = now
    if terms() then
      queue.released_ms = nil
      if now >= until_ms then
        leave(queue, ticket)
        queue.rejected = queue.rejected + 1
        return string.format("it waited for %d ms", order.timeout_ms)
      end
      pause = math.min(pause_ms(queue), until_ms - now)
    else
      begin_release(queue)
      local due_ms = queue.released_ms + (ticket - queue.first) * 1000 / rate
      if now >= due_ms then
        leave(queue, ticket)
        return nil
      end
      pause = math.min(due_ms - now, 500)  -- it may be held again
    end
    core.msleep(math.max(1, math.ceil(pause)))
  end
end

core.register_action("hold_http", { "http-req" }, function(txn, port)
  txn:set_var("txn.held", 1)
  local why = wait(port)
  if not why then return txn:unset_var("txn.held") end
  local reply = txn:reply{ status = 503, reason = "Service Unavailable" }
  reply:add_header("Retry-After", "1")
  reply:add_header("Content-Type", "text/plain; charset=utf-8")
  reply:add_header("Cache-Control", "no-store")
  reply:set_body("The service behind this port is being replaced; this request was not forwarded: " .. why .. ".\n")
  txn:done(reply)
end, 1)

core.register_action("hold_tcp", { "tcp-req" }, function(txn, port)
  txn:set_var("txn.held", 1)
  if wait(port) then txn:done() else txn:unset_var("txn.held") end
end, 1)

core.register_cli({ "cutover", "held" }, "cutover held : requests that wait or were turned away, a port a line", function(applet)
  for port, queue in pairs(queues) do
    prune(queue)
    applet:send(string.format("%s %d %d %d\n", port, queue.count, queue.overflowed, queue.rejected))
  end
end)
