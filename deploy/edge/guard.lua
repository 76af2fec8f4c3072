-- What nginx leaves open: line ends that two programs read differently, the number of headers, and bodies that drip.
local guard = {}

local HEADERS_MAX = 100
-- Bytes a second that a body must bring on average beyond its first seconds.
local BODY_RATE_MIN = 16384

-- RFC 9112 §2.2 lets a recipient take a lone LF for a line's end; not all do, so nobody behind us shall have to choose.
function guard.refuse_ambiguous()
    if ngx.req.is_internal() then
        return
    end
    -- HTTP/0.9 has no head, so neither a host nor an end of its answer that could be told.
    if ngx.req.http_version() < 1 then
        return ngx.exit(444)
    end
    local head = ngx.req.raw_header()
    if head:find("[^\r]\n") or head:find("%z") then
        return ngx.exit(400)
    end
    local _, lines = head:gsub("\n", "")
    if lines > HEADERS_MAX + 2 then
        return ngx.exit(431)
    end
end

-- The whole body before any app sees it, or 408: what drips slower than this holds a place for nothing.
function guard.take_body(seconds)
    if ngx.req.is_internal() then
        return
    end
    local length = tonumber(ngx.var.http_content_length)
    if (length == nil or length == 0) and ngx.var.http_transfer_encoding == nil then
        return
    end
    local reading = ngx.thread.spawn(function() ngx.req.read_body() end)
    local waiting = ngx.thread.spawn(function() ngx.sleep(seconds + (length or 0) / BODY_RATE_MIN) end)
    ngx.thread.wait(reading, waiting)
    if coroutine.status(waiting) ~= "running" then
        return ngx.exit(408)
    end
    ngx.thread.kill(waiting)
end

-- RFC 9440 §2.1: the DER in base64 between colons.
function guard.certificate()
    local pem = ngx.var.ssl_client_raw_cert
    local body = pem and pem:match("^%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-(.-)%-%-%-%-%-END CERTIFICATE%-%-%-%-%-")
    return body and ":" .. body:gsub("%s", "") .. ":" or ""
end

return guard
