// h_t = a_t h_{t-1} + b_t over chunks of the sequence, in three dispatches whatever its length: PHASE 0 gives for each chunk its
// last h from zero and the product of its a; 1 walks the chunks and leaves in each what it starts from; 2 runs each chunk again
// from there; a single chunk needs phase 2 alone. REVERSE is the recurrence of the gradient, g_t = dh_t + a_{t+1} g_{t+1}, from
// the end: then b is dh, and phase 2 (always after the others) gives db = g and da_t = g_t h_{t-1}.
// A thread is a channel of a chunk; neighbours are channels. Phase 1: a channel.
const PHASE: u32 = 0u;
const REVERSE: bool = false;
const HAS_STATE: bool = false;
const CHUNKED: bool = true;
struct Params { batch: u32, length: u32, channels: u32, chunk: u32, chunks: u32 }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> start: array<f32>; // initialState; REVERSE, phase 1: the gradient of the last state
@group(0) @binding(3) var<storage, read_write> carry: array<vec2f>; // of each chunk: h, product of a
@group(0) @binding(4) var<storage, read_write> y: array<f32>;   // h, or db
@group(0) @binding(5) var<storage, read_write> last: array<f32>; // lastState, or the gradient of initialState
@group(0) @binding(6) var<storage, read> h: array<f32>;       // REVERSE: the states
@group(0) @binding(7) var<storage, read_write> da: array<f32>;
@group(0) @binding(8) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  let row = w.z;
  if (d >= p.channels) { return; }
  var value = 0.0;
  if (HAS_STATE && (PHASE == 1u || (PHASE == 2u && !CHUNKED))) { value = start[row * p.channels + d]; }
  if (PHASE == 1u) {
    for (var j = 0u; j < p.chunks; j++) {
      let chunk = select(j, p.chunks - 1u - j, REVERSE);
      let at = (row * p.chunks + chunk) * p.channels + d;
      let end = carry[at];
      carry[at].x = value;
      value = end.y * value + end.x;
    }
    last[row * p.channels + d] = value;
    return;
  }
  let first = w.y * p.chunk;
  let count = min(p.chunk, p.length - first);
  let carried = (row * p.chunks + w.y) * p.channels + d;
  if (PHASE == 2u && CHUNKED) { value = carry[carried].x; }
  var product = 1.0;
  for (var j = 0u; j < count; j++) {
    let t = first + select(j, count - 1u - j, REVERSE);
    let at = (row * p.length + t) * p.channels + d;
    if (REVERSE) {
      // What comes in was already multiplied by the a of the token after; what goes out is by this one's.
      let g = value + b[at];
      if (PHASE == 2u) {
        y[at] = g;
        var before = 0.0;
        if (t > 0u) { before = h[at - p.channels]; } else if (HAS_STATE) { before = start[row * p.channels + d]; }
        da[at] = g * before;
      }
      value = a[at] * g;
    } else {
      value = a[at] * value + b[at];
      if (PHASE == 2u) { y[at] = value; }
    }
    product *= a[at];
  }
  if (PHASE == 0u) { carry[carried] = vec2f(value, product); }
  if (PHASE == 2u && !CHUNKED) { last[row * p.channels + d] = value; }
}
