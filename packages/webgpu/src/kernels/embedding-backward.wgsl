// Gradient of a table, or of its rows `first` to `first + count`: to each row of zeros the dy of the tokens with its id is added.
// A small table is summed chunk by chunk, into a table for each, which are added up afterwards; a large one is one chunk. (Some
// ids are most of a text: following one id's tokens from first to last would be one long chain.)
// A workgroup is a chunk of tokens and 64 channels. A thread is a channel: its column of the table is its alone, so it needs
// neither atomics nor barriers.
struct Params { tokens: u32, channels: u32, first: u32, count: u32, chunk: u32 }
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> tables: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  if (d >= p.channels) { return; }
  let start = w.y * p.chunk;
  for (var t = start; t < min(start + p.chunk, p.tokens); t++) {
    let row = ids[t] - p.first; // an id below `first` wraps to a large number
    if (row < p.count) { tables[(w.y * p.count + row) * p.channels + d] += dy[t * p.channels + d]; }
  }
}
