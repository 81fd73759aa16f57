// For the gradient of a small table: tables[chunk][id] = sum of dy over the tokens of a chunk with this id. The tables of all
// chunks are added up afterwards. Some ids are most of a text (noise, spaces): following one id's tokens from first to last would
// be one long chain, here no chain is longer than a chunk.
// A workgroup is a chunk of tokens and 64 channels. A thread is a channel: its column of the table is its alone, so it needs
// neither atomics nor barriers.
struct Params { tokens: u32, channels: u32, vocab: u32, chunk: u32 }
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> tables: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  if (d >= p.channels) { return; }
  let table = w.y * p.vocab * p.channels + d;
  for (var id = 0u; id < p.vocab; id++) { tables[table + id * p.channels] = 0.0; }
  let start = w.y * p.chunk;
  let end = min(start + p.chunk, p.tokens);
  for (var t = start; t < end; t++) {
    let id = ids[t];
    if (id < p.vocab) { tables[table + id * p.channels] += dy[t * p.channels + d]; }
  }
}
