// use: complex
// What the selective scan's kernels share. A workgroup is WG channels of one group, one batch row and one chunk of the
// sequence; a thread is a channel, with the states of a block in registers. More than Q quads of states: block after block.
// Scratch, in floats: states [batch, chunk, lane, channel]; sums of dt [batch, chunk, channel]; and, packed once a call,
// A [lane, channel], deltaBias [channel], D [channel]. A lane is one float of a state: of each block first the real parts.
// Arrays inside loops are set to zero in so many words: over SwiftShader a bare `var` was zero in the first round only.
// What a call has (bias, gate, ...) is told by bits of a uniform: only what changes the inner loop is a constant.
const ZOH: bool = false;
const Q: u32 = 4u;
const WG: u32 = 64u;
const PARTS: u32 = select(1u, 2u, COMPLEX);
const LANES: u32 = 4u * Q * PARTS; // of a block
const IMS: u32 = select(1u, Q, COMPLEX); // length of arrays of imaginary parts
// Where A is real and needed for nothing but decays it is held times log2 e: exp2 is one instruction, exp is two.
const BASE2: bool = !COMPLEX && !ZOH;
const HELD: f32 = select(1.0, 1.44269504, BASE2);
const RESET: f32 = 3.0e38; // in the place of the sum of dt: a sequence ends in this chunk, nothing passes
const NONE: u32 = 0xffffffffu; // no imaginary part
const BIAS: u32 = 1u;
const SOFTPLUS: u32 = 2u;
const SEQ: u32 = 4u; // in scan-chunk and scan-emit a constant, PACKED: it costs in their inner loops
const SKIP: u32 = 8u;
const GATE: u32 = 16u;
const LAST: u32 = 32u; // write the last state
const STATE: u32 = 64u; // there is a state to start from
const BACK: u32 = 128u; // from the end to the start
struct Params {
  flags: u32, first: u32, batch: u32, length: u32, channels: u32, states: u32, chunk: u32, chunks: u32,
  blocks: u32, width: u32, groups: u32, wide: u32, // blocks of states, states of a block; groups of channels, workgroups of one
  bOffset: u32, bBatch: u32, bToken: u32, bGroup: u32, bGroups: u32, bIm: u32,
  cOffset: u32, cBatch: u32, cToken: u32, cGroup: u32, cGroups: u32, cIm: u32,
  zOffset: u32, zStride: u32,
  statesAt: u32, reverseAt: u32, sumsAt: u32, packedAt: u32, lastAt: u32, sharedAt: u32, ownAt: u32, heldAt: u32,
}

fn has(bit: u32) -> bool {
  return (p.flags & bit) != 0u;
}

struct Place { group: u32, channel: u32, live: bool }
fn placeOf(w: u32, i: u32) -> Place {
  let size = p.channels / p.groups;
  let group = w / p.wide;
  let lane = w % p.wide * WG + i;
  return Place(group, group * size + min(lane, size - 1u), lane < size);
}

// The time step, from delta and bias.
fn timeStep(delta: vec4f) -> vec4f {
  if (has(SOFTPLUS)) { return softplus(delta); }
  return delta;
}

// A as it is held; times any dt it stays finite, as exp of some drivers needs it.
fn held(a: vec4f) -> vec4f {
  return max(a * HELD, vec4f(-1e30));
}

// The decay of a step, from A as it is held, times dt.
fn decayOf(turn: C4) -> C4 {
  if (BASE2) { return C4(exp2(turn.re), ZERO); }
  return expOf(turn);
}

// What multiplies B u: dt, or with zoh (exp(dt A) - 1) / A = dt phi(dt A).
fn inputWeight(x: C4, e: C4, dt: f32) -> C4 {
  if (ZOH) { return scaled(phi(x, e), dt); }
  return C4(vec4f(dt), ZERO);
}

// What a token adds to the state: B u dt, with zoh B u dt phi(dt A). `dtu` is dt u.
fn fed(B: C4, x: C4, e: C4, dtu: f32) -> C4 {
  if (ZOH) { return scaled(mul(B, phi(x, e)), dtu); }
  return scaled(B, dtu);
}
