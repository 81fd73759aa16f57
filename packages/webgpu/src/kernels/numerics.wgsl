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

// log(1 + exp(x)), x itself above 20. With e = exp(-|x|) <= 1, log1p(e) / e by a polynomial through the Chebyshev nodes of [0, 1]:
// 1.5e-7 of it at most, rounding included, also where e is tiny. No division, which this would take more time than the rest.
fn softplus(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  let s = 1.0 + e * (-0.499998927 + e * (0.333297104 + e * (-0.249516159 + e * (0.196632743
    + e * (-0.152696669 + e * (0.105436236 + e * (-0.0563736111 + e * (0.0195425265
    - 0.00317605701 * e))))))));
  return select(max(x, vec4f()) + e * s, x, x > vec4f(20.0));
}

// Cosine and sine: x is brought to [-pi/4, pi/4] by pi/2 in three pieces (Cody and Waite), then Taylor.
struct CosSin { c: vec4f, s: vec4f }
fn cosSin(x: vec4f) -> CosSin {
  let k = round(x * 0.636619772);
  let r = fma(-k, vec4f(7.5497894159e-8), fma(-k, vec4f(4.83751297e-4), fma(-k, vec4f(1.5703125), x)));
  let q = r * r;
  let s = r + r * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q / 362880.0)));
  let c = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q / 3628800.0))));
  let quarter = vec4i(k) & vec4i(3);
  let odd = (quarter & vec4i(1)) == vec4i(1);
  let cosine = select(c, s, odd);
  let sine = select(s, c, odd);
  return CosSin(
    select(cosine, -cosine, (quarter == vec4i(1)) | (quarter == vec4i(2))),
    select(sine, -sine, quarter >= vec4i(2)));
}
