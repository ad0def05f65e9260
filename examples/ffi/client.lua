#!/usr/bin/env luajit
-- A LuaJIT binding of rill that builds itself when it is loaded, and a small model trained with it.
--
-- rill_api_json describes the library. Its functions[] are C prototypes, which LuaJIT's ffi reads as they
-- stand, its structs[], callbacks[] and enums[] the types in them. So all of rill can be called without being
-- listed here: rill_nn_linear(ctx, 2, 8, true) is rill.nn_linear(2, 8, true), rill_forward(ctx, model, x)
-- is model:forward(x), and a struct is made by rill.mamba_options{state = 8}.
-- Usage: client.lua [path of librill.so]
local ffi = require("ffi")

-- ---- a reader of JSON that is known to be well formed -------------------------------------------------

local escapes = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}
local function unescape(char, hex)
  if char == "u" then return string.char(tonumber(hex, 16)) end -- rill writes ASCII
  return (escapes[char] or char) .. hex
end

local function read_json(text)
  local at = 1
  local function eat(pattern) -- the next token if it looks like this, else nil
    local _, last, token = text:find("^%s*(" .. pattern .. ")", at)
    if last then at = last + 1 end
    return token
  end
  local function quoted() -- what follows an opening quote, without the closing one
    local start = at
    repeat
      local _, last, mark = text:find('(["\\])', at)
      at = mark == "\\" and last + 2 or last + 1
    until mark == '"'
    return (text:sub(start, at - 2):gsub("\\(.)(%x?%x?%x?%x?)", unescape))
  end
  local function value()
    local out, open = {}, eat("[%[{]")
    if open then
      while not eat("[%]}]") do
        local key = open == "[" and #out + 1 or value()
        eat(":")
        out[key] = value()
        eat(",")
      end
      return out
    end
    if eat('"') then return quoted() end
    local word = assert(eat("[%w.+-]+"), "a value must come here")
    return word == "true" or word ~= "false" and tonumber(word)
  end
  return value()
end

-- ---- the library, as its JSON describes it ---------------------------------------------------------

ffi.cdef [[
typedef struct rill_context rill_context;
typedef struct rill_context_options rill_context_options;
rill_context *rill_context_create(const rill_context_options *options);
const char *rill_api_json(rill_context *ctx);
]]
local lib = ffi.load(arg[1] or os.getenv("RILL_LIBRARY") or "lib/librill.so")
local ctx = lib.rill_context_create(nil)
local api = read_json(ffi.string(lib.rill_api_json(ctx)))
local rill = {} -- every function without its rill_, every constant without its RILL_

local function short(name) return name:sub(#"rill_" + 1) end

for _, enum in ipairs(api.enums) do
  ffi.cdef("typedef int " .. enum.name .. ";")
  for name, number in pairs(enum.values) do rill[short(name)] = number end
end
for _, constant in ipairs(api.constants) do rill[short(constant.name)] = constant.value end

-- Types that are not described stand before a star, and stay opaque.
local function with_opaque(text)
  for name in text:gmatch("(rill_[%w_]+) %*") do ffi.cdef("typedef struct " .. name .. " " .. name .. ";") end
  return text
end

-- The name stands within "void (*)(void *user)" and "char[16]".
local function declaration(type, name)
  local before, after = with_opaque(type):match("^(.-%(%*)(%).*)$")
  if not before then before, after = type:match("^([^[]*)(.*)$") end
  return before .. " " .. name .. after .. ";"
end

for _, c in ipairs(api.callbacks) do ffi.cdef("typedef " .. declaration(c.type, c.name)) end

for _, s in ipairs(api.structs) do
  local fields, kind = {}, (s.union and "union " or "struct ") .. s.name
  for i, field in ipairs(s.fields) do fields[i] = declaration(field.type, field.name) end
  ffi.cdef(("typedef %s { %s } %s;"):format(kind, table.concat(fields, " "), s.name))
  rill[short(s.name)] = function(values)
    local made = ffi.new(s.name, values or {})
    if s.init ~= "" then made.struct_size = ffi.sizeof(made) end
    return made
  end
end

-- Those that have a function rill_<kind>_retain are handles.
local handles = {}
for _, f in ipairs(api.functions) do
  ffi.cdef(with_opaque(f.signature) .. ";")
  local kind = f.name:match("^(rill_%w+)_retain$")
  if kind then handles[kind] = true end
end

local function check() -- makes the context's error one of Lua's
  if lib.rill_error(ctx) == rill.OK then return end
  local message = ffi.string(lib.rill_error_message(ctx))
  lib.rill_error_clear(ctx)
  error(message, 0)
end

-- Ends a call that returns a handle. The scope around the call owns it, and drops it; Lua's own reference
-- is given back by the garbage collector.
local function keep(kind, ok, result)
  local handle = ok and result ~= nil and ffi.gc(lib[kind .. "_retain"](result), lib[kind .. "_release"])
  lib.rill_scope_close(ctx)
  if not ok then error(result, 0) end -- Lua's: an argument is of the wrong type
  check()
  return handle or nil
end

local function bind(f)
  local call, kind = lib[f.name], f.signature:match("^(rill_%w+) %*")
  local needs_context = f.signature:find("rill_context *ctx", 1, true)
  local run = needs_context and function(...) return call(ctx, ...) end or call
  if handles[kind] then
    return function(...)
      lib.rill_scope_open(ctx)
      return keep(kind, pcall(run, ...))
    end
  end
  if not needs_context or f.signature:find("^void ") then return run end -- cannot fail
  return function(...)
    local result = run(...)
    check()
    return result
  end
end
for _, f in ipairs(api.functions) do
  local own = f.name:find("_retain$") or f.name:find("_release$") -- the handles' own
  if not own then rill[short(f.name)] = bind(f) end
end

-- loss:item() is rill_tensor_item(ctx, loss), loss:backward(nil, false) is rill_backward(ctx, loss, ...).
for kind in pairs(handles) do
  ffi.metatype(kind, {
    __index = function(_, name) return rill[short(kind) .. "_" .. name] or rill[name] end,
  })
end

-- ---- a model of two layers that learns to tell the arms of a spiral apart ----------------------------

local arms, count = 3, 300

local function spiral()
  local points, labels = ffi.new("float[?]", 2 * count), ffi.new("int64_t[?]", count)
  for i = 0, count - 1 do
    local radius = (i + 1) / count
    local angle = 2 * math.pi * i / arms + 4 * radius
    points[2 * i], points[2 * i + 1] = radius * math.cos(angle), radius * math.sin(angle)
    labels[i] = i % arms
  end
  return rill.from_buffer(rill.F32, ffi.new("int64_t[2]", count, 2), 2, points),
    rill.from_buffer(rill.I64, ffi.new("int64_t[1]", count), 1, labels)
end

local function train()
  local points, labels = spiral()
  local layers = {rill.nn_linear(2, 32, true), rill.nn_tanh(), rill.nn_linear(32, arms, true)}
  local model = rill.nn_sequential(ffi.new("rill_module *[?]", #layers, layers), #layers)
  local adam = rill.optimizer_create(rill.OPTIM_ADAM)
  adam:add_module(model, rill.optimizer_options{lr = 0.02}, nil)
  local first, last
  for step = 0, 400 do
    local scores = model:forward(points)
    local loss = scores:cross_entropy(labels, nil)
    if step % 100 == 0 then
      local right = scores:argmax(-1, false):eq(labels):to(rill.F64):mean(nil, 0, false)
      first, last = first or loss:item(), loss:item()
      print(("step %3d  loss %.4f  accuracy %.3f"):format(step, last, right:item()))
      collectgarbage() -- which takes handles for small, and so comes too late where tensors are large
    end
    loss:backward(nil, false)
    adam:step()
    adam:zero_grad()
  end
  assert(last < first / 10, "the loss did not fall")
end

local function bytes_held()
  local stats = rill.memory_stats()
  rill.memory_get_stats(stats)
  return tonumber(stats.current)
end

print(("rill %s: %d functions, %d ops"):format(api.version, #api.functions, #api.ops))
local x = rill.zeros(rill.F32, ffi.new("int64_t[2]", 3, 2), 2)
print("errors arrive as sentences: " .. select(2, pcall(x.matmul, x, x)))
print("types are checked before: " .. select(2, pcall(x.matmul, x, "y")))
local before = bytes_held()
train()
collectgarbage()
print("left behind: " .. bytes_held() - before .. " bytes")
rill.context_close()
