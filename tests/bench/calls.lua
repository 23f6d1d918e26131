-- calls.lua - for wrk: Connect's calls, each with a token of its own, whose "exp" grows as time goes by.
--
--     wrk -s calls.lua URL -- SECRET EXP-OFFSET CLAIMS BODY SIGNATURE
--
-- CLAIMS is a JSON object without its last brace; "exp" (now + EXP-OFFSET, in s) and "n", which makes each
-- token a new one, are added. SIGNATURE is the body's, for who cannot verify a token. What came of it is
-- printed as one line of JSON.
local ffi = require "ffi"
ffi.cdef [[
    typedef struct { uint64_t opaque[64]; } state;
    int sodium_init(void);
    int crypto_auth_hmacsha256_init(state *s, const char *key, size_t len);
    int crypto_auth_hmacsha256_update(state *s, const char *in, unsigned long long len);
    int crypto_auth_hmacsha256_final(state *s, unsigned char *out);
    char *sodium_bin2base64(char *text, size_t size, const char *bin, size_t len, int variant);
]]
local sodium = ffi.load "sodium"
local URL_SAFE_NO_PADDING = 7
local HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9." -- {"typ":"JWT","alg":"HS256"}
local secret, offset, claims, head, tail
local text, keyed, scratch, signature = ffi.new("char[8192]"), ffi.new("state"), ffi.new("state"),
                                        ffi.new("unsigned char[32]")
local n = 0

local function base64(bin, len)
    sodium.sodium_bin2base64(text, 8192, bin, len, URL_SAFE_NO_PADDING)
    return ffi.string(text)
end

function init(args)
    sodium.sodium_init()
    secret, offset, claims = args[1], tonumber(args[2]), args[3]
    sodium.crypto_auth_hmacsha256_init(keyed, secret, #secret)
    head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" ..
           "Content-Length: " .. #args[4] .. "\r\nX-Signature: sha256=" .. args[5] .. "\r\nAuthentication: Bearer "
    tail = "\r\n\r\n" .. args[4]
end

function request()
    n = n + 1
    local payload = claims .. ',"exp":' .. os.time() + offset .. ',"n":' .. n .. "}"
    local input = HEADER .. base64(payload, #payload)
    ffi.copy(scratch, keyed, ffi.sizeof("state"))
    sodium.crypto_auth_hmacsha256_update(scratch, input, #input)
    sodium.crypto_auth_hmacsha256_final(scratch, signature)
    return head .. input .. "." .. base64(ffi.cast("const char *", signature), 32) .. tail
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('{"calls": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "refused": %d, "lost": %d}\n',
                           summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
                           errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
