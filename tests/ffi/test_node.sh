#!/bin/sh
# The Node client builds itself from the library's JSON, learns, streams what it has learnt, and gives back
# all that it made. Needs koffi: npm install --prefix build/node koffi
. tests/ffi/client.sh
export NODE_PATH="$PWD/build/node/node_modules${NODE_PATH:+:$NODE_PATH}"
command -v node >/dev/null || skip 'no node here'
node -e 'require("koffi")' 2>/dev/null || skip 'no koffi here'

client node examples/ffi/client.js
check 'arguments of a wrong type stop in Node' says '^errors .*: const rill_tensor \*b: cannot be 5$'
check 'it streams the marks that it has seen' says '^answers 0 1 1 1 1 2 2 2 2 1 1 1$'
check 'tidy leaves nothing behind' says '^left behind: 0 bytes'
check 'no library is an error' sh -c '! node examples/ffi/client.js /nonexistent.so 2>/dev/null'

finalized='
  const rill = require("./examples/ffi/client.js");
  const make = () => { for (let i = 0; i < 100; i++) rill.zeros(rill.F32, [1000], 1); };
  rill.zeros(rill.F32, [1], 1).release();
  const before = rill.bytesHeld();
  make();
  if (rill.bytesHeld() < before + 400000) throw new Error("nothing was made");
  const turn = left => setTimeout(() => {
    gc();
    if (rill.bytesHeld() === before) return;
    if (!left) throw new Error(`${rill.bytesHeld() - before} bytes stay`);
    turn(left - 1);
  }, 10);
  turn(100);'
visited='
  const rill = require("./examples/ffi/client.js");
  const model = rill.nn_sequential([rill.nn_linear(2, 3, true), rill.nn_tanh()], 2);
  let visits = 0;
  model.apply(() => { visits++; return rill.OK; }, null);
  if (visits !== 3) throw new Error(`${visits} visits`);'
check 'a callback in JavaScript runs' node -e "$visited"
check 'finalizers leave nothing behind' node --expose-gc -e "$finalized"
summary
