// The plain references, one an op: <op>/<op>.ref.cc. Double sums, no cleverness; the contract stands at the top of
// each.
#pragma once

#include "graph/interpreter.h"

namespace weft::ref {

void embedding(const RefCall& call);
void rms_norm(const RefCall& call);
void linear(const RefCall& call);
void rope(const RefCall& call);
void kv_write(const RefCall& call);
void attention(const RefCall& call);
void add(const RefCall& call);
void mul(const RefCall& call);
void activation(const RefCall& call);
void scale(const RefCall& call);
void softcap(const RefCall& call);
void gather_rows(const RefCall& call);
void linear_recurrence(const RefCall& call);
void quantize_rows(const RefCall& call);
void gated_activation(const RefCall& call);
void linear_add(const RefCall& call);
void add_rms_norm(const RefCall& call);
void fused(const RefCall& call);  // norm_linear, norm_gated_linear, norm_qkv

double activate(Activation act, double x);  // activation.ref.cc
// y = x / rms(x) * weight for one row of `size`; may be in place. rms_norm.ref.cc
void norm_row(const float* x, const float* weight, float eps, int64_t size, float* y);
// The rows that a linear or linear_add multiplies: its first input, rounded where attrs.quantized says so.
HostTensor factor(const RefCall& call);
// x @ weight^T (+ bias) (+ residual); both optional. linear.ref.cc
void matmul(const HostTensor& x, const HostTensor& weight, const HostTensor* bias, const HostTensor* residual,
            HostTensor& y);

}  // namespace weft::ref
