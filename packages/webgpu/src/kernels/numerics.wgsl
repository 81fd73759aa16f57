// Functions that WGSL leaves too inexact (`log` near 1, `sin`, `cos`) or that overflow, on four lanes.

// 1 / (1 + exp(-x)); exp(88) is still finite.
fn sigmoid(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(min(-x, vec4f(88.0))));
}

fn silu(x: vec4f) -> vec4f {
  return x * sigmoid(x);
}

// d silu / dx
fn siluSlope(x: vec4f) -> vec4f {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}

// log(1 + exp(x)), x itself above 20. log1p(e) = 2 atanh(e / (2 + e)) by its series: e <= 1, so the argument is <= 1/3.
fn softplus(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  let s = e / (2.0 + e);
  let q = s * s;
  let series = 1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0)))));
  return select(max(x, vec4f(0.0)) + 2.0 * s * series, x, x > vec4f(20.0));
}

// Cosine and sine: x is brought to [-pi/4, pi/4] by pi/2 in three pieces (Cody and Waite), then Taylor.
struct CosSin { c: vec4f, s: vec4f }
fn cosSin(x: vec4f) -> CosSin {
  let k = round(x * 0.6366197723675814);
  let r = fma(-k, vec4f(7.5497894159e-8), fma(-k, vec4f(4.837512969970703e-4), fma(-k, vec4f(1.5703125), x)));
  let q = r * r;
  let s = r + r * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q / 362880.0)));
  let c = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q / 3628800.0))));
  let quarter = vec4<i32>(k) & vec4<i32>(3);
  let odd = (quarter & vec4<i32>(1)) == vec4<i32>(1);
  let cosine = select(c, s, odd);
  let sine = select(s, c, odd);
  return CosSin(
    select(cosine, -cosine, (quarter == vec4<i32>(1)) | (quarter == vec4<i32>(2))),
    select(sine, -sine, quarter >= vec4<i32>(2)));
}
