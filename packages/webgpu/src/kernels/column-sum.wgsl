// use: index
// Sums of columns of a [rows, columns] matrix over blocks of rows -> [blocks, columns]. Run again on its own result until
// one block is left: a fixed order, so the same bits in every run.
// A workgroup is 64 columns and one block; each of its 4 rows of threads adds up every fourth row.
struct Params { rows: u32, columns: u32, rowsABlock: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;
var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(64, 4)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_id) l: vec3u) {
  let column = w.x * 64u + l.x;
  let start = w.y * p.rowsABlock;
  let end = min(start + p.rowsABlock, p.rows);
  var sum = 0.0;
  if (column < p.columns) {
    for (var row = start + l.y; row < end; row += 4u) { sum += x[row * p.columns + column]; }
  }
  partial[l.y * 64u + l.x] = sum;
  workgroupBarrier();
  if (l.y == 0u && column < p.columns) {
    y[w.y * p.columns + column] = partial[l.x] + partial[64u + l.x] + partial[128u + l.x] + partial[192u + l.x];
  }
}
