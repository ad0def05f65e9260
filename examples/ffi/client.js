#!/usr/bin/env node
// A Node binding of rill that builds itself when it is loaded, and a small Mamba trained with it.
//
// rill_api_json describes the library. Its functions[] are C prototypes, which koffi reads nearly as they
// stand, its structs[], callbacks[] and enums[] the types in them. So all of rill can be called without being
// listed here: rill_nn_linear(ctx, 2, 8, true) is rill.nn_linear(2, 8, true), and rill_forward(ctx, model, x)
// is model.forward(x). Where C wants a pointer, an array goes in, and a typed array takes what comes out; a
// struct is an object, made by rill.mamba_options({ state: 8 }).
// Usage, after npm install koffi: client.js [path of librill.so]
'use strict';
const koffi = require('koffi');

// ---- the library, as its JSON describes it ----------------------------------------------------------

const lib = koffi.load(process.argv[2] || process.env.RILL_LIBRARY || 'lib/librill.so');
const ctx = lib.func('void *rill_context_create(const void *options)')(null);
const api = JSON.parse(lib.func('const char *rill_api_json(void *ctx)')(ctx));
const raw = {}; // the C functions themselves
const kinds = {}; // a class for each kind of handle: tensor, module, ...
const rill = { kinds }; // and every function without its rill_, every constant without its RILL_
const short = name => name.slice('rill_'.length);

// Holds a reference of its own. It is given back when JavaScript collects the object, which happens between
// turns of the event loop only: a loop that makes much gives it back sooner, by tidy.
class Handle {
  static collected = new FinalizationRegistry(([kind, pointer]) => raw[`rill_${kind}_release`](pointer));
  static made = null; // in the innermost tidy

  constructor(pointer) {
    const { kind } = this.constructor;
    this.pointer = raw[`rill_${kind}_retain`](pointer);
    Handle.collected.register(this, [kind, pointer], this);
    Handle.made?.add(this);
  }

  release() {
    if (!this.pointer) return;
    raw[`rill_${this.constructor.kind}_release`](this.pointer);
    this.pointer = null;
    Handle.collected.unregister(this);
  }

  toString() { return this.pointer ? `a ${this.constructor.kind}` : `a released ${this.constructor.kind}`; }
}

// Runs body, then releases all handles that it made but the one that it returns.
rill.tidy = body => {
  const outer = Handle.made;
  const made = (Handle.made = new Set());
  try {
    const result = body();
    if (made.delete(result)) outer?.add(result);
    return result;
  } finally {
    Handle.made = outer;
    for (const handle of made) handle.release();
  }
};

for (const { name, values } of api.enums) {
  koffi.alias(name, 'int');
  for (const constant in values) rill[short(constant)] = values[constant];
}
for (const { name, value } of api.constants) rill[short(name)] = value;

// Types that are not described stand before a star, and stay opaque. Those that have a function
// rill_<kind>_retain are handles.
const structs = new Set(api.structs.map(({ name }) => name));
const pointedTo = api.functions.flatMap(({ signature }) => signature.match(/rill_\w+(?= \*)/g) || []);
for (const name of new Set(pointedTo)) if (!structs.has(name)) koffi.opaque(name);
for (const { name } of api.functions) {
  const [, kind] = name.match(/^rill_([a-z]+)_retain$/) || [];
  if (kind) kinds[kind] = class extends Handle { static kind = kind; };
}

for (const { name, type } of api.callbacks) {
  koffi.pointer(name, koffi.proto(type.replace('(*)', `${name}_function`)));
}

for (const { name, union, fields, init } of api.structs) {
  koffi[union ? 'union' : 'struct'](name, Object.fromEntries(fields.map(field => [field.name, field.type])));
  if (init) rill[short(name)] = values => {
    const made = {};
    raw[init](made);
    return Object.assign(made, values);
  };
}

// What koffi passes for an argument. Koffi takes any number for an address, so those stop here.
function pass(given, parameter) {
  if (given === null || !parameter.includes('*')) return given;
  const [, kind] = parameter.match(/rill_(\w+) \*(?!\*)/) || [];
  if (kind in kinds) {
    if (Array.isArray(given)) return given.map(one => pass(one, parameter));
    if (given instanceof kinds[kind] && given.pointer) return given.pointer;
  } else if (typeof given === (/^const char \*\w/.test(parameter) ? 'string' : 'object')) return given;
  throw new TypeError(`${parameter}: cannot be ${given}`);
}

function check() { // throws the context's error
  if (raw.rill_error(ctx) === rill.OK) return;
  const message = raw.rill_error_message(ctx);
  raw.rill_error_clear(ctx);
  throw new Error(message);
}

function bind({ name, signature }) {
  // Koffi wants to be told which structs C writes to.
  const direction = name.endsWith('_init') ? '_Out_' : '_Inout_';
  const call = (raw[name] = lib.func(signature.replace(/(?<=[(,] ?)(rill_\w+)(?= \*\w)/g, type =>
    structs.has(type) ? `${direction} ${type}` : type)));
  if (/_(retain|release)$/.test(name)) return; // these are the handles' own
  const parameters = signature.slice(signature.indexOf('(') + 1, -1).split(', ').filter(p => p !== 'void');
  const bound = parameters[0]?.endsWith('rill_context *ctx') ? [ctx] : [];
  parameters.splice(0, bound.length);
  const mayFail = bound.length && !signature.startsWith('void ');
  const Kind = kinds[signature.match(/^rill_(\w+) \*/)?.[1]];

  const run = (rill[short(name)] = (...args) => {
    const passed = parameters.map((parameter, i) => pass(args[i], parameter));
    if (Kind) raw.rill_scope_open(ctx); // holds what comes back until the handle has a reference
    try {
      const result = call(...bound, ...passed);
      if (mayFail) check();
      return Kind && result ? new Kind(result) : result;
    } finally {
      if (Kind) raw.rill_scope_close(ctx);
    }
  });

  // loss.item() is rill_tensor_item(ctx, loss), loss.backward(null, false) is rill_backward(ctx, loss, ...).
  const owner = parameters[0]?.match(/^(?:const )?rill_(\w+) \*\w+$/)?.[1];
  if (!(owner in kinds)) return;
  const method = short(name).replace(`${owner}_`, '');
  kinds[owner].prototype[method] = function (...args) { return run(this, ...args); };
}
api.functions.forEach(bind);

rill.bytesHeld = () => {
  const stats = rill.memory_stats();
  rill.memory_get_stats(stats);
  return stats.current;
};

module.exports = rill;

// ---- a model that learns to remember the last mark that it has seen -----------------------------------

// Tokens are 0 to 7, of which 1 and 2 are marks and the others noise. The answer at each step is the last
// mark so far, 0 before the first.
const tokens = 8, marks = 2, batch = 16, steps = 32;

function answers(sequence) {
  let last = 0;
  return sequence.map(token => (last = token >= 1 && token <= marks ? token : last));
}

function drawBatch() {
  const input = rill.randint(rill.I32, 0, tokens, [batch, steps], 2);
  const drawn = new Int32Array(batch * steps);
  input.copy_out(rill.I32, drawn, drawn.byteLength);
  const target = new Int32Array(batch * steps);
  for (let i = 0; i < drawn.length; i += steps) target.set(answers(drawn.subarray(i, i + steps)), i);
  return [input, rill.from_buffer(rill.I32, [batch, steps], 2, target)];
}

function train(model) {
  const adam = rill.optimizer_create(rill.OPTIM_ADAM);
  adam.add_module(model, rill.optimizer_options({ lr: 0.01 }), null);
  const losses = [];
  for (let step = 0; step <= 200; step++) rill.tidy(() => {
    const [input, target] = drawBatch();
    const loss = model.forward(input).cross_entropy(target, null);
    losses.push(loss.item());
    if (step % 50 === 0) console.log(`step ${String(step).padStart(3)}  loss ${loss.item().toFixed(4)}`);
    loss.backward(null, false);
    adam.clip_grad_norm(1, null);
    adam.step();
    adam.zero_grad();
  });
  if (losses.at(-1) > losses[0] / 10) throw new Error('the loss did not fall');
}

// One step at a time: the state remembers what the model has seen.
function stream(model, sequence) {
  const state = model.state_create(1);
  return sequence.map(token => {
    const scores = model.extend(rill.from_buffer(rill.I32, [1, 1], 2, new Int32Array([token])), state);
    return scores.argmax(-1, false).item();
  });
}

function main() {
  console.log(`rill ${api.version}: ${api.functions.length} functions, ${api.ops.length} ops`);
  const x = rill.zeros(rill.F32, [3, 2], 2);
  for (const wrong of [() => x.matmul(x), () => x.matmul(5)]) {
    try {
      wrong();
    } catch (error) {
      console.log(`errors arrive as sentences: ${error.message}`);
    }
  }
  const before = rill.bytesHeld();
  rill.tidy(() => {
    const [embedding, mamba] = [rill.nn_embedding(tokens, 16, rill.NO_PADDING), rill.nn_mamba(16, null)];
    const model = rill.nn_sequential([embedding, mamba, rill.nn_linear(16, 1 + marks, true)], 3);
    train(model);
    const sequence = [5, 1, 0, 7, 3, 2, 6, 4, 4, 1, 0, 3];
    console.log(`streams ${sequence.join(' ')}`);
    console.log(`answers ${stream(model, sequence).join(' ')}`);
  });
  console.log(`left behind: ${rill.bytesHeld() - before} bytes`);
  rill.context_close();
}

if (require.main === module) main();
