// linear_recurrence: the rows one after the other, channels in parallel. The state is changed in place.
#include <algorithm>

#include "ops/kernel.h"

namespace weft {
namespace {

// Channels of an item: at least 16 (a cache line), and so many that T of them are worth handing over.
int64_t channels(const CpuCall& call) {
  const int64_t rows = std::max<int64_t>(1, call.in[1].dim[0]);
  return std::max<int64_t>(16, (8192 / rows + 15) / 16 * 16);
}

void run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const int64_t width = call.in[1].dim[1], per_item = channels(call);
  const int64_t last = std::min(width, end * per_item);
  for (int64_t t = 0; t < call.in[1].dim[0]; ++t) {
    float* h = call.out[1].as<float>() + call.in[3].as<int32_t>()[t] * width;
    const float *a = call.in[1].as<float>() + t * width, *b = call.in[2].as<float>() + t * width;
    float* y = call.out[0].as<float>() + t * width;
    for (int64_t c = begin * per_item; c < last; ++c) y[c] = h[c] = a[c] * h[c] + b[c];
  }
}
bool supports(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::f32; }
int64_t items(const CpuCall& call) {
  const int64_t per_item = channels(call);
  return (call.in[1].dim[1] + per_item - 1) / per_item;
}

}  // namespace

extern const Kernel kLinearRecurrence{
    .name = "linear_recurrence.f32", .op = Op::linear_recurrence, .supports = supports, .items = items, .run = run};
}  // namespace weft
