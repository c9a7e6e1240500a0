-- Requests that wait while no colour can answer. Called only while hold.map does not say "off", so it costs nothing then.
--
-- hold.map holds two keys, each -> "off", or "LIMIT:TIMEOUT_MS:RELEASE_PER_S": hold, for every request, and alone, for
-- what the one colour there is could not take. (A third, part, is for the configuration.) It lies beside this file, and
-- it is both what a container of the edge comes up with and what the control socket changes.
-- A waiter polls: HAProxy 2.6 has no Lua primitive that wakes another. The more there are, the less often each looks.

local folder = debug.getinfo(1, "S").source:match("^@(.*)/")
local orders = Map.new(folder .. "/hold.map", Map._str)
local routes = Map.new(folder .. "/route.map", Map._str)
local queues = {}
local rate = 500

-- The wake-up of a `tcp-request content` action that is due before HAProxy has looked at it is lost, and the connection
-- waits until its client gives up (tcp_inspect_request keeps `analyse_exp` only while it is not expired; seen on a busy
-- machine with 2.6.12). So those sleep for long, and from a fresh clock: core.yield() comes back with one.
local TCP_SLEEP_MS = 100

local function sleep(kind, ms)
  if kind == "tcp-req" then
    core.yield()
    ms = math.max(TCP_SLEEP_MS, ms)
  end
  core.msleep(math.max(1, math.ceil(ms)))
end

local function clock_ms()
  local now = core.now()
  return now.sec * 1000 + math.floor(now.usec / 1000)
end

-- What is ordered now under a key; nil: nothing.
local function terms(key)
  local limit, timeout_ms, per_s = (orders:lookup(key) or "off"):match("^(%d+):(%d+):([%d.]+)$")
  if not limit then return nil end
  rate = tonumber(per_s)
  return { limit = tonumber(limit), timeout_ms = tonumber(timeout_ms) }
end

local function held() return terms("hold") end

local function held_or_alone() return terms("hold") or terms("alone") end

local function queue_of(port, kind)
  local name = port .. " " .. kind
  local queue = queues[name]
  if not queue then
    queue = { port = port, last = 0, count = 0, seen = {}, overflowed = 0, rejected = 0 }
    queues[name] = queue
  end
  return queue
end

-- Whether the colour that is alone can be asked again. That its check is content says so only once there was time for it
-- to fail; where a check reaches it and hears what it does not like, it is there, and perhaps only busy.
local function there_again(port, waited_ms)
  if terms("hold") or waited_ms < 500 then return false end
  local slot = (routes:lookup("route") or "a"):sub(1, 1)
  local facts = core.backends["p" .. port].servers[slot]:get_stats()
  if facts.status:match("^UP") then return waited_ms >= 2000 end
  local check = facts.check_status or ""
  return check:match("L[67]") ~= nil and not check:match("OK")
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
local function wait(queue, kind, ordered, may_go)
  local order = ordered()
  if not order then return nil end
  if queue.count >= order.limit then prune(queue) end
  if queue.count >= order.limit then
    queue.overflowed = queue.overflowed + 1
    return "too many requests wait for it already"
  end
  queue.last, queue.count = queue.last + 1, queue.count + 1
  local ticket, came_ms, looks_ms = queue.last, clock_ms(), 0
  local until_ms = came_ms + order.timeout_ms
  while true do
    local now, pause = clock_ms(), nil
    queue.seen[ticket] = now
    if ordered() then
      queue.released_ms = nil
      if may_go and now >= looks_ms then
        if may_go(queue.port, now - came_ms) then
          if now >= (queue.next_ms or 0) then  -- one after the other, at the pace of a release
            queue.next_ms = now + 1000 / rate
            leave(queue, ticket)
            return nil
          end
        else
          looks_ms = now + 200
        end
      end
      if now >= until_ms then
        leave(queue, ticket)
        queue.rejected = queue.rejected + 1
        return string.format("it waited for %d ms", order.timeout_ms)
      end
      pause = math.min(pause_ms(queue), until_ms - now)
    else
      begin_release(queue)
      local due_ms = queue.released_ms + (ticket - queue.first) * 1000 / rate
      if now >= due_ms or (kind == "tcp-req" and due_ms - now < TCP_SLEEP_MS) then
        leave(queue, ticket)
        return nil
      end
      pause = math.min(due_ms - now, 500)  -- it may be held again
    end
    sleep(kind, pause)
  end
end

local function hold_http(txn, why)
  if not why then return txn:unset_var("txn.held") end
  local reply = txn:reply{ status = 503, reason = "Service Unavailable" }
  reply:add_header("Retry-After", "1")
  reply:add_header("Content-Type", "text/plain; charset=utf-8")
  reply:add_header("Cache-Control", "no-store")
  reply:set_body("The service behind this port is being replaced; this request was not forwarded: " .. why .. ".\n")
  txn:done(reply)
end

local function hold_tcp(txn, why)
  if why then txn:done() else txn:unset_var("txn.held") end
end

local function register(name, kind, answer, ...)
  local terms_of = { ... }
  core.register_action(name, { kind }, function(txn, port)
    txn:set_var("txn.held", 1)
    answer(txn, wait(queue_of(port, name), kind, table.unpack(terms_of)))
  end, 1)
end

register("hold_http", "http-req", hold_http, held)
register("hold_tcp", "tcp-req", hold_tcp, held)
register("hold_alone_http", "http-req", hold_http, held_or_alone, there_again)
register("hold_alone_tcp", "tcp-req", hold_tcp, held_or_alone, there_again)

core.register_cli({ "cutover", "held" }, "cutover held : requests that wait or were turned away, a queue of a port a line", function(applet)
  for _, queue in pairs(queues) do
    prune(queue)
    applet:send(string.format("%s %d %d %d\n", queue.port, queue.count, queue.overflowed, queue.rejected))
  end
end)
