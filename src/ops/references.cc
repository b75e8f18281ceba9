#include "ops/references.h"

#include "ops/kernel.h"

namespace weft {

const RefTable& reference_table() {
  static constexpr RefTable table = [] {
    RefTable t{};
    auto row = [&](Op op, RefFunction function) { t[static_cast<size_t>(op)] = function; };
    row(Op::embedding, ref::embedding);
    row(Op::rms_norm, ref::rms_norm);
    row(Op::linear, ref::linear);
    row(Op::rope, ref::rope);
    row(Op::kv_write, ref::kv_write);
    row(Op::attention, ref::attention);
    row(Op::add, ref::add);
    row(Op::mul, ref::mul);
    row(Op::activation, ref::activation);
    row(Op::scale, ref::scale);
    row(Op::softcap, ref::softcap);
    row(Op::gather_rows, ref::gather_rows);
    // view has none: the interpreter relabels, the planner aliases.
    row(Op::linear_recurrence, ref::linear_recurrence);
    row(Op::quantize_rows, ref::quantize_rows);
    row(Op::gated_activation, ref::gated_activation);
    row(Op::linear_add, ref::linear_add);
    row(Op::add_rms_norm, ref::add_rms_norm);
    for (Op op : {Op::norm_linear, Op::norm_gated_linear, Op::norm_qkv}) row(op, ref::fused);
    return t;
  }();
  return table;
}

}  // namespace weft
