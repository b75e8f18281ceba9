// The activation functions, for kernels that declare
//   alias Value = …;        f32 or a vector of it
//   const kActivation = …;  Activation of graph.h: 0 silu, 1 gelu, 2 gelu_tanh, 3 relu
// The built-in tanh may overflow and is only as good as sinh and cosh; these hold about 4e-7.

fn sigmoid(x: Value) -> Value {
  // e^88 is still finite, and beyond it the result is below the smallest normal float.
  return 1.0 / (1.0 + exp(min(-x, Value(88.0))));
}

// erfc(z) for z >= 0: e^(-z^2) t P(t), t = 1 / (1 + z / 2), with the polynomial of math-inl.h.
fn erfc_positive(z: Value) -> Value {
  let near = min(z, Value(26.0));
  let t = 1.0 / (near * 0.5 + 1.0);
  let u = t * 2.1505376344 - 1.1505376344;
  var p = u * 2.02201653e-05 - 3.47152006e-06;
  p = p * u - 0.00017488783;
  p = p * u + 0.000154981102;
  p = p * u + 0.00109857568;
  p = p * u - 0.00178258302;
  p = p * u - 0.00880438333;
  p = p * u + 0.0121160525;
  p = p * u + 0.123884495;
  p = p * u + 0.337958335;
  p = p * u + 0.535532671;
  return t * p * exp(-(near * near));
}

// Lambert's continued fraction to x^6 near 0 (1e-9 at 1), else by the exponential.
fn tanh_of(x: Value) -> Value {
  let a = min(abs(x), Value(20.0));
  let a2 = a * a;
  let near = a * (10395.0 + a2 * (1260.0 + a2 * 21.0)) / (10395.0 + a2 * (4725.0 + a2 * (210.0 + a2)));
  let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  return sign(x) * select(far, near, a < Value(1.0));
}

fn activate(x: Value) -> Value {
  switch kActivation {
    case 0u: {
      return x * sigmoid(x);
    }
    case 1u: {
      let tail = 0.5 * erfc_positive(abs(x) * 0.70710678);
      return x * select(1.0 - tail, tail, x < Value(0.0));
    }
    case 2u: {
      // 0.5 (1 + tanh(u)) = sigmoid(2 u); 1.5957691 = 2 sqrt(2 / pi)
      return x * sigmoid((x * x * x * 0.044715 + x) * 1.5957691216);
    }
    default: {
      return max(x, Value(0.0));
    }
  }
}
